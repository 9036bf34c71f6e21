"""Asks ECR about an image, and about the rules by which it fetches images from elsewhere."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import urlopen

from ecs_async_executor.doctor.aws.answers import all_pages
from ecs_async_executor.doctor.aws.clients import READ_SECONDS
from ecs_async_executor.doctor.effective import EcrImage
from ecs_async_executor.doctor.facts import Cause, Question, Unknown

_CONFIGURATION = 1 << 20
"""Bytes of an image's configuration at most; it is some kilobytes long."""


def image(client: Any, question: Question) -> Any:
    """Return the image's size in bytes."""
    parsed = EcrImage.parse(question.name)
    if parsed is None:
        return Unknown("It is in another registry.", Cause.NOT_ASKED)
    answer = client.describe_images(
        registryId=parsed.account, repositoryName=parsed.repository, imageIds=[_image_id(parsed)]
    )
    return {"size": answer["imageDetails"][0].get("imageSizeInBytes", 0)}


def cache_rules(client: Any, question: Question) -> Any:
    """Return the prefixes of repositories that a registry's pull-through cache rules are for."""
    request = {"registryId": question.name}
    rules = all_pages(client, "describe_pull_through_cache_rules", "pullThroughCacheRules", request)
    return tuple(str(each["ecrRepositoryPrefix"]) for each in rules)


def platforms(client: Any, question: Question) -> Any:
    """Return the processors of an image: of an index they are in the manifest, of a single image in its configuration."""
    parsed = EcrImage.parse(question.name)
    if parsed is None:
        return Unknown("It is in another registry.", Cause.NOT_ASKED)
    answer = client.batch_get_image(
        registryId=parsed.account, repositoryName=parsed.repository, imageIds=[_image_id(parsed)]
    )
    if not answer.get("images"):
        return Unknown("There is no such image.", Cause.NOT_ASKED)
    manifest = json.loads(answer["images"][0]["imageManifest"])
    found = sorted(
        {str((each.get("platform") or {}).get("architecture", "")) for each in manifest.get("manifests", ())}
    )
    if processors := tuple(each for each in found if each and each != "unknown"):
        return processors
    digest = str((manifest.get("config") or {}).get("digest") or "")
    found_one = _processor_of(client, parsed, digest) if digest else ""
    return (found_one,) if found_one else Unknown("Its manifest names no processor.", Cause.NOT_ASKED)


def _processor_of(client: Any, image: EcrImage, digest: str) -> str:
    """Return the processor in an image's configuration, a blob like a layer; empty if it can't be read."""
    try:
        answer = client.get_download_url_for_layer(
            registryId=image.account, repositoryName=image.repository, layerDigest=digest
        )
        with urlopen(answer["downloadUrl"], timeout=READ_SECONDS) as blob:  # noqa: S310  AWS's own address
            return str(json.loads(blob.read(_CONFIGURATION)).get("architecture") or "")
    except Exception:  # noqa: BLE001  denied, or no registry of AWS's: then it stays unknown
        return ""


def _image_id(image: EcrImage) -> dict[str, str]:
    return {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}

"""The script that looks around inside a container, and how its report is read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MARK = "ECS-ASYNC-DOCTOR "
"""What the report's line begins with."""
ALARM = 20
"""Seconds that one look may take."""
TRIAL = 9
"""Seconds that one of two requests to the execution API may take: a cold API server has taken 16 s for its first answer."""

# It runs in any Airflow image, with the image's own Python; boto3 comes with the Amazon provider. It is terse because it counts
# towards ECS's 8192 characters of overrides. Each look is independent of the others; an error's text is never a request's.
SCRIPT = f"""\
import datetime, http.client, json, os, re, signal, ssl, sys, urllib.error, urllib.request
given = json.loads(sys.argv[1])
out = {{"python": "%d.%d" % sys.version_info[:2]}}
def late(*_):
 raise TimeoutError("no answer within {ALARM} s")
signal.signal(signal.SIGALRM, late)
def look(act):
 signal.alarm({ALARM})
 try:
  out[act.__name__] = act()
 except BaseException as error:
  out[act.__name__] = {{"error": f"{{type(error).__name__}}: {{error}}"[:300]}}
 signal.alarm(0)
def option(section, key):
 name = f"AIRFLOW__{{section}}__{{key}}".upper()
 try:
  from airflow.configuration import conf
 except ImportError:
  return os.environ.get(name, "")
 return conf.get(section, key, fallback="") or ""
@look
def airflow():
 import airflow
 if not getattr(airflow, "__version__", ""):
  raise ImportError("there is no airflow.__version__")
 return airflow.__version__
@look
def api():
 base = option("api", "base_url") or "/"
 base = "http://localhost:8080" + base if base[0] == "/" else base
 url = (option("core", "execution_api_server_url") or base.rstrip("/") + "/execution/").rstrip("/")
 now = datetime.datetime.now(datetime.timezone.utc).isoformat()
 body = {{"state": "running", "hostname": "doctor", "unixname": "doctor", "pid": 1, "start_date": now}}
 headers = {{"Authorization": "Bearer " + given["token"], "Content-Type": "application/json"}}
 path = f"{{url}}/task-instances/{{given['ti']}}/run"
 request = urllib.request.Request(path, json.dumps(body).encode(), headers, method="PATCH")
 slow = True
 while slow and signal.getitimer(0)[0] > {ALARM - TRIAL - 1}:
  slow = False
  try:
   with urllib.request.urlopen(request, timeout={TRIAL}) as answer:
    found = {{"status": answer.status}}
  except urllib.error.HTTPError as error:
   found = {{"status": error.code, "known": b"not_found" in error.read(4096)}}
  except Exception as error:
   why = getattr(error, "reason", error)
   slow = isinstance(why, TimeoutError)
   found = {{"unreachable": str(why)[:200]}}
 if url[:5] == "http:" and not slow and found.get("status", 400) == 400:
  try:
   http.client.HTTPSConnection(request.host, timeout=3, context=ssl._create_unverified_context()).connect()
   found["tls"] = True
  except Exception:
   pass
 return {{"url": re.sub("//[^/@]*@", "//", url), **found}}
@look
def dags():
 found = {{}}
 default = [{{"name": "dags-folder", "classpath": "LocalDagBundle"}}]
 for bundle in json.loads(option("dag_processor", "dag_bundle_config_list") or "null") or default:
  if not bundle["classpath"].endswith("LocalDagBundle"):
   found[bundle["name"]] = bundle["classpath"]
   continue
  folder = (bundle.get("kwargs") or {{}}).get("path") or option("core", "dags_folder")
  files = [file for _, _, names in os.walk(folder) for file in names if file.endswith((".py", ".zip"))]
  found[bundle["name"]] = {{"folder": folder, "files": len(files)}}
 return found
@look
def logs():
 folder = option("logging", "remote_base_log_folder")
 result = {{"on": option("logging", "remote_logging").lower() in ("true", "t", "1"), "folder": folder}}
 if result["on"] and folder.startswith("s3://"):
  import boto3
  bucket, _, prefix = folder[5:].partition("/")
  place = {{"Bucket": bucket, "Key": f"{{prefix.strip('/')}}/ecs-async-doctor/{{given['ti']}}".lstrip("/")}}
  client = boto3.client("s3")
  client.put_object(Body=b"", **place)
  result["written"] = True
  try:
   client.delete_object(**place)
  except Exception:
   result["left"] = "s3://{{Bucket}}/{{Key}}".format(**place)
 return result
if given.get("payload"):
 @look
 def payload():
  import boto3
  bucket, key = given["payload"][5:].split("/", 1)
  boto3.client("s3", *given["region"]).get_object(Bucket=bucket, Key=key)["Body"].read()
  return True
"""

STANDBY = """\
@look
def standby():
 import botocore.session, importlib
 from email.utils import parsedate_to_datetime
 lease, own, *names = given["standby"]
 for name in names:
  importlib.import_module(name)
 s3 = botocore.session.Session().create_client("s3", *given["region"])
 def get(url):
  bucket, key = url[5:].split("/", 1)
  return s3.get_object(Bucket=bucket, Key=key)
 answer = get(lease)
 age = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]) - answer["LastModified"]
 try:
  status = get(own)["ResponseMetadata"]["HTTPStatusCode"]
 except s3.exceptions.ClientError as error:
  status = error.response["ResponseMetadata"]["HTTPStatusCode"]
 return {"age": age.total_seconds(), "status": status}
"""
"""What is added for a profile with standbys: it looks for a task as a standby does (`standby/waiting.py`)."""
REPORT = f"""\
print("{MARK}" + json.dumps(out), flush=True)
"""


def command(inputs: Mapping[str, Any]) -> list[str]:
    """Return the container's command.

    `inputs`: token, ti; region, a list; payload, an object's URL; standby: a lease's URL, that of an object which isn't there,
    and the modules that a standby imports.
    """
    script = SCRIPT + (STANDBY if "standby" in inputs else "") + REPORT
    return ["python", "-c", script, json.dumps(dict(inputs), separators=(",", ":"))]


def report_in(lines: Iterable[str]) -> dict[str, Any] | None:
    """Return the report in a container's lines; None if there is none."""
    for line in reversed(list(lines)):
        _, mark, text = line.partition(MARK)
        if mark:
            try:
                found = json.loads(text)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return None

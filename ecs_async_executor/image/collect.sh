#!/usr/bin/env bash
# Runs during the image build: collects what the build arguments ask for, so that nobody has to edit the Dockerfile.
#   collect.sh CONTEXT SECRETS DESTINATION
# The build arguments are in the environment. DESTINATION gets dags/, requirements.txt and aws/, each possibly empty.
set -euo pipefail

readonly context=$1 secrets=$2 destination=$3

main() {
  mkdir -p "$destination/dags" "$destination/aws"
  : > "$destination/requirements.txt"

  collect_folder host_dag_path "$destination/dags"
  if [[ -n ${requirements_path:-} ]]; then
    cp "$(in_context requirements_path -f file)" "$destination/requirements.txt"
  fi
  if [[ -n ${s3_url:-} && -n ${s3_uri:-} && $s3_url != "$s3_uri" ]]; then
    fail "s3_url and s3_uri mean the same: give one."
  fi
  collect_credentials
  # As everywhere in Airflow's image, the group is root, whichever user runs it.
  chmod -R g=u "$destination"
  chmod -R o= "$destination/aws"
}

collect_credentials() {
  local -a sources=()
  [[ -z ${aws_access_key_id:-}${aws_secret_access_key:-}${aws_session_token:-} ]] || sources+=("build arguments")
  [[ -z ${host_aws_path:-} ]] || sources+=("the folder $host_aws_path")
  [[ ! -e $secrets/aws_credentials ]] || sources+=("a build secret")
  ((${#sources[@]} <= 1)) ||
    fail "AWS credentials come from more than one place: $(printf '%s; ' "${sources[@]}")give one, or better, none."

  collect_folder host_aws_path "$destination/aws"
  [[ ! -e $secrets/aws_credentials ]] || cp "$secrets/aws_credentials" "$destination/aws/credentials"
  if [[ ${sources[*]-} == "build arguments" ]]; then
    write_credentials > "$destination/aws/credentials"
  fi
  if [[ -n ${aws_default_region:-} ]]; then
    [[ ! -e $destination/aws/config ]] || fail "$host_aws_path/config and aws_default_region both set the Region: give one."
    printf '[default]\nregion = %s\n' "$aws_default_region" > "$destination/aws/config"
  fi
  ((${#sources[@]})) || return 0
  # The entrypoint warns too, because not every builder shows a step's output.
  : > "$destination/aws/from-build"
  say "WARNING: this image now holds AWS credentials from ${sources[*]}: anyone who can pull it can read them." \
    "WARNING: Do this for trials only. Otherwise use a task role (taskRoleArn), which needs nothing in the image."
  if [[ ${sources[*]} == "build arguments" ]]; then
    say "WARNING: Build arguments also show up in provenance attestations and in the builder's logs."
  fi
}

write_credentials() {
  [[ -n ${aws_access_key_id:-} && -n ${aws_secret_access_key:-} ]] ||
    fail "aws_access_key_id and aws_secret_access_key belong together; temporary ones need aws_session_token too."
  printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$aws_access_key_id" "$aws_secret_access_key"
  [[ -z ${aws_session_token:-} ]] || printf 'aws_session_token = %s\n' "$aws_session_token"
}

collect_folder() { # ARGUMENT DESTINATION
  [[ -n ${!1:-} ]] || return 0
  local source
  source=$(in_context "$1" -d folder)
  cp -R "$source/." "$2"
}

in_context() { # ARGUMENT TEST WHAT
  local path
  path=$(realpath -e -- "$context/${!1}" 2> /dev/null) && test "$2" "$path" ||
    fail "$1=${!1}: there is no such $3 in the build context, the folder named last in the build command." \
      "Paths are relative to it, and .dockerignore may hide files."
  [[ $path == "$(realpath "$context")"?(/*) ]] || fail "$1=${!1} leads out of the build context."
  printf '%s' "$path"
}

say() { # LINE ...
  printf '%s\n' "$@" >&2
}

fail() { # LINE ...
  say "${@/#/ERROR: }"
  exit 1
}

main

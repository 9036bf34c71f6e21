#!/usr/bin/env bash
# Runs while the image is built: lays out what the build arguments ask for, so that nobody has to edit the Dockerfile.
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
    fail "s3_url and s3_uri are two names of the same thing: give one."
  fi
  collect_credentials
  # As everywhere in Airflow's image: whatever user runs it, the group is root.
  chmod -R g=u "$destination"
  chmod -R o= "$destination/aws"
}

collect_credentials() {
  local -a sources=()
  [[ -z ${aws_access_key_id:-}${aws_secret_access_key:-}${aws_session_token:-} ]] || sources+=("build arguments")
  [[ -z ${host_aws_path:-} ]] || sources+=("the folder $host_aws_path")
  [[ ! -e $secrets/aws_credentials ]] || sources+=("a build secret")
  ((${#sources[@]} <= 1)) ||
    fail "AWS credentials come from more than one place: $(printf '%s; ' "${sources[@]}")give one, or better none."

  collect_folder host_aws_path "$destination/aws"
  [[ ! -e $secrets/aws_credentials ]] || cp "$secrets/aws_credentials" "$destination/aws/credentials"
  if [[ ${sources[*]-} == "build arguments" ]]; then
    write_credentials > "$destination/aws/credentials"
  fi
  if [[ -n ${aws_default_region:-} ]]; then
    [[ ! -e $destination/aws/config ]] || fail "The Region is in $host_aws_path/config and in aws_default_region: give one."
    printf '[default]\nregion = %s\n' "$aws_default_region" > "$destination/aws/config"
  fi
  ((${#sources[@]})) || return 0
  # The entrypoint warns as well: not every builder shows what a step has printed.
  : > "$destination/aws/from-build"
  say "WARNING: AWS credentials from ${sources[*]} are now in this image: whoever can pull it can read them." \
    "WARNING: That may do for a trial. Else use a task role (taskRoleArn), which needs nothing in the image."
  if [[ ${sources[*]} == "build arguments" ]]; then
    say "WARNING: Build arguments can also be read in provenance attestations and in the logs of whoever builds."
  fi
}

write_credentials() {
  [[ -n ${aws_access_key_id:-} && -n ${aws_secret_access_key:-} ]] ||
    fail "aws_access_key_id and aws_secret_access_key belong together, with aws_session_token for temporary ones."
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
    fail "$1=${!1}: there is no such $3 in the build context, the folder that the build command names last." \
      "The path is relative to it; .dockerignore may hide files."
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

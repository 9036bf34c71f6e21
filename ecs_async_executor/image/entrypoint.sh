#!/usr/bin/env bash
# A task's container starts here: fetch the Dags from S3 if S3_URL is set, then become the command.
#   entrypoint.sh COMMAND [ARGUMENT ...]
# The command holds the task's token: print none of it, so never `set -x`.
set -euo pipefail

# As in sysexits.h: a retry would fail the same way (78), or may succeed (75).
readonly LASTING=78 PASSING=75

main() {
  (($#)) || fail "$LASTING" "No command was given."
  local folder=${CONTAINER_DAG_PATH:-/opt/airflow/dags} url=${S3_URL:-${S3_URI:-}}
  if [[ -e ${HOME:-}/.aws/from-build ]]; then
    say "WARNING: this image holds AWS credentials. Anyone who can pull it can read them; use a task role instead."
  fi
  if [[ -n $url ]]; then
    sync_dags "$url" "$folder" "${S3_SYNC_TIMEOUT:-300}"
    # A standby waits for its task, perhaps for hours: it runs this when the task has come, before Airflow looks for Dags.
    if [[ ${!#} == s3://*/standby/*.json ]]; then
      printf -v ECS_ASYNC_REFRESH '%q true' "$0"
      export ECS_ASYNC_REFRESH
    fi
  fi
  # An airflow.cfg may name the usual folder or a part of it. Tell Airflow about any other.
  if [[ $folder != /opt/airflow/dags ]]; then
    export AIRFLOW__CORE__DAGS_FOLDER=${AIRFLOW__CORE__DAGS_FOLDER:-$folder}
  fi
  exec "$@"
}

sync_dags() { # URL FOLDER SECONDS
  local url=$1 folder=$2 seconds=$3 output status=0
  [[ $url =~ ^s3://[^/]+ ]] || fail "$LASTING" "S3_URL is '$url'; it must look like s3://bucket/prefix."
  [[ $seconds =~ ^[0-9]+$ ]] || fail "$LASTING" "S3_SYNC_TIMEOUT is '$seconds'; it must be a number of seconds, 0 for no limit."
  command -v aws > /dev/null || fail "$LASTING" "Can't fetch the Dags from $url: this image has no AWS CLI."
  mkdir -p -- "$folder" 2> /dev/null && [[ -w $folder ]] ||
    fail "$LASTING" "Can't write the Dags from $url to $folder." "Mount a volume there that user $(id -u) can write to."

  # By default, sync keeps a file of the same size, even if the one in S3 is newer.
  local -a sync=(aws s3 sync --only-show-errors --exact-timestamps --cli-connect-timeout 10 "$url" "$folder")
  local -x AWS_RETRY_MODE=${AWS_RETRY_MODE:-standard} AWS_MAX_ATTEMPTS=${AWS_MAX_ATTEMPTS:-5}
  # In the foreground, so that a signal to the process group, such as dumb-init's, reaches it.
  output=$(timeout --foreground --kill-after=5 "$seconds" "${sync[@]}" 2>&1) || status=$?
  [[ -z $output ]] || say "$output"
  # 137: timeout had to kill it; 124: SIGTERM was enough.
  case $status in
    0) ;;
    124 | 137) fail "$PASSING" "The Dags from $url did not arrive within $seconds seconds (S3_SYNC_TIMEOUT)." ;;
    *) explain "$url" "$output" ;;
  esac
  [[ -n $(find -L "$folder" -type f -print -quit) ]] ||
    fail "$LASTING" "There are no files under $url." "Check the bucket and the prefix in S3_URL."
  say "Fetched the Dags from $url into $folder."
}

explain() { # URL OUTPUT
  local what="Can't fetch the Dags from $1"
  case $2 in
    *NoSuchBucket*)
      fail "$LASTING" "$what: there is no such bucket." "Check S3_URL." ;;
    *AccessDenied* | *"(403)"*)
      fail "$LASTING" "$what: access denied." \
        "Allow the task role s3:ListBucket on the bucket and s3:GetObject on its objects, and kms:Decrypt if your own key encrypts them." ;;
    *"locate credentials"* | *NoCredentials*)
      fail "$LASTING" "$what: the container has no AWS credentials." "Give the task definition a task role (taskRoleArn)." ;;
    *InvalidAccessKeyId* | *SignatureDoesNotMatch* | *ExpiredToken* | *InvalidToken*)
      fail "$LASTING" "$what: the container's AWS credentials are invalid or expired." "Use a task role (taskRoleArn)." ;;
    *"No space left"*)
      fail "$LASTING" "$what: the disk is full." "Give the task more ephemeral storage." ;;
    *onnect* | *imeout* | *"timed out"* | *"resolve"*)
      fail "$PASSING" "$what: S3 can't be reached." \
        "Check how the task's subnets reach S3: a gateway endpoint, a NAT gateway or a public address." ;;
    *)
      fail "$PASSING" "$what: see the AWS CLI's message above." ;;
  esac
}

say() { # LINE ...
  printf 'entrypoint: %s\n' "$@" >&2
}

fail() { # STATUS LINE ...
  say "${@:2}"
  exit "$1"
}

main "$@"

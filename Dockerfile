# check=skip=SecretsUsedInArgOrEnv
# The image of the task containers. Build arguments choose everything: see docs/image.md.
# Its Airflow and Python must match the scheduler's: run `ecs-async image build-args` there to print both arguments.

# For trials, credentials may come as build arguments, in a stage that is thrown away; collect.sh warns about them.
# hadolint global ignore=DL3064

ARG airflow_image=apache/airflow
ARG airflow_version=3.3.2
ARG python_version=3.12
ARG aws_cli_image=public.ecr.aws/aws-cli/aws-cli
ARG aws_cli_version=2.36.46

# AWS's own image exists for every architecture, so there is nothing to download and unpack.
FROM ${aws_cli_image}:${aws_cli_version} AS aws-cli

# To build outside this repository: --build-context scripts=.../ecs_async_executor/image
FROM scratch AS scripts
COPY ecs_async_executor/image/ /

FROM ${airflow_image}:${airflow_version}-python${python_version} AS airflow

# A separate stage keeps credentials out of the image's history, and layers cached while their files don't change.
FROM airflow AS collected
ARG host_dag_path=""
ARG requirements_path=""
ARG s3_url=""
ARG s3_uri=""
ARG host_aws_path=""
ARG aws_access_key_id=""
ARG aws_secret_access_key=""
ARG aws_session_token=""
ARG aws_default_region=""
# Only root may read build secrets, and nothing runs from this stage.
# hadolint ignore=DL3002
USER 0
RUN --mount=type=bind,target=/context \
    --mount=type=bind,from=scripts,target=/scripts \
    --mount=type=secret,id=aws_credentials \
    bash /scripts/collect.sh /context /run/secrets /collected

FROM airflow
ARG container_dag_path=/opt/airflow/dags
ARG s3_url=""
ARG s3_uri=""
USER 0
COPY --from=aws-cli /usr/local/aws-cli/ /usr/local/aws-cli/
RUN ln -s /usr/local/aws-cli/v2/current/bin/aws /usr/local/bin/aws && aws --version && \
    install -d -o 50000 -g 0 -m 0775 "${container_dag_path}"
COPY --from=scripts --chmod=0755 /entrypoint.sh /opt/ecs-async/entrypoint.sh

# The user `airflow`.
USER 50000
COPY --from=collected --chown=50000:0 /collected/requirements.txt /opt/airflow/requirements.txt
# Naming Airflow too stops requirements from changing its version.
RUN if [ -s /opt/airflow/requirements.txt ]; then \
        pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" -r /opt/airflow/requirements.txt; \
    fi
COPY --from=collected --chown=50000:0 /collected/aws/ /home/airflow/.aws/
COPY --from=collected --chown=50000:0 /collected/dags/ ${container_dag_path}/

# Tasks only need the API server: without this, Airflow's entrypoint spends seconds looking for a database.
ENV CONNECTION_CHECK_MAX_COUNT=0 \
    CONTAINER_DAG_PATH=${container_dag_path} \
    S3_URI=${s3_url:-${s3_uri}}
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/opt/ecs-async/entrypoint.sh", "/entrypoint"]
CMD []

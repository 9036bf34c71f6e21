"""Makes the database, stores the Dag and starts a run of it; a process of the Airflow under test."""

from __future__ import annotations

import os
from pathlib import Path

from airflow._shared.timezones import timezone
from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

BUNDLE = "dags-folder"


def main() -> None:
    """Do all of it once; the Dag processor isn't needed."""
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    folder = Path(conf.get("core", "dags_folder"))
    bag = DagBag(dag_folder=folder, bundle_path=folder, bundle_name=BUNDLE)
    if bag.import_errors:
        raise RuntimeError(str(bag.import_errors))
    sync_bag_to_db(bag, bundle_name=BUNDLE, bundle_version=None)
    with create_session() as session:
        for dag_id in bag.dags:
            serialized = SerializedDagModel.get(dag_id, session=session)
            assert serialized is not None
            serialized.dag.create_dagrun(
                run_id=f"chaos__{os.getpid()}",
                run_after=timezone.utcnow(),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.QUEUED,
                session=session,
            )


if __name__ == "__main__":
    main()

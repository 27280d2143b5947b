"""The queue's tables: Weft's migration makes what the installed Procrastinate expects."""

from procrastinate.schema import SchemaManager

from weft.store.migrations import migrations


def test_the_migration_is_the_schema_of_the_installed_package() -> None:
    """Another version of the package may have another schema: then a new step has to follow it."""
    (queue,) = (step for step in migrations("postgres") if step.name == "queue")
    comment, _, schema = queue.sql.partition("\n")
    assert comment.startswith("-- Procrastinate 3.10's own schema")
    assert schema == SchemaManager.get_schema()

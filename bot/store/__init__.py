"""The store: one schema and one set of queries on SQLite and PostgreSQL, a module per noun. SQL lives nowhere else."""

"""Photos through a model on several machines, by Ray Data; Parquet files out."""

"""The bank's customers: who leaves? One pipeline in three forms."""

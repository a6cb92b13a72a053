"""The Open Inference Protocol over gRPC. Needs the extra `grpc`; loaded where its port is set."""

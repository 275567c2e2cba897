"""The gRPC API and the single writer behind it: protobuf is parsed and rendered here and goes no further in."""

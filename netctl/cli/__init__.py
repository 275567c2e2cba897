"""The command line: a gRPC client of the API and nothing more; the server alone decides what is valid."""

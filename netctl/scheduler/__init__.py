"""Where a virtual machine may and should run, and what a migration would find. Contract: docs/design/compute.md."""

"""netctl: an open network controller for virtualised clusters on OVN."""

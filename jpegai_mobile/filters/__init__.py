"""Post-filters: EFE linear, eICCI, EFE non-linear and LEF, on planes of the displayed size."""

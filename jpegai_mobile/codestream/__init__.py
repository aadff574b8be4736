"""The code stream: markers, headers and sub-streams, read and written; no mathematics on samples."""

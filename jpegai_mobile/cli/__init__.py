"""The command `jpegai`: one small module per sub-command."""

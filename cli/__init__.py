"""The command `featviz`: one thin module a command."""

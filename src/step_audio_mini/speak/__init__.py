"""Reply and style to sound."""

"""The film code of the project: probing, reading, writing, drawing."""

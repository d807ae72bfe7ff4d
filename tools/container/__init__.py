"""`./space check container`: the image and the compose file, tried without a Docker engine.

needs.py       what this machine must have, and what to do where it has not
commands.py    programs that are run, and the complaint if one fails
buildah.py     the base image (debootstrap), the image, its settings and files
pip_config.py  how pip inside the build finds packages as pip here does
compose.py     docker-compose.yml, as Docker Compose reads it
bundle.py      a service of the compose file, as a container for runc
proxies.py     the proxies' configuration, moved to ports of this machine
contents.py    the files and settings of the image
tour.py        a user's tour of a running Space, over HTTP and the socket
check.py       the steps
"""

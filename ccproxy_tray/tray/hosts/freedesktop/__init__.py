"""The D-Bus protocols by which Linux desktops show an icon, its menu and notifications; ``hosts.sni`` composes them."""

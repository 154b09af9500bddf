/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-network-monitor-private.h"

#include <gio/gunixconnection.h>
#include <gio/gunixsocketaddress.h>

/* GLib (2.74) makes its network monitor when it is first asked for it. It connects to the system
 * bus then and asks NetworkManager for its properties, in a sandbox first the portal over the
 * session bus, and waits in the caller's thread: for up to 25 s if one of them does not answer, and
 * for ever if a bus does not. So a thread of our own asks them the same before, until the answers
 * come fast; that there is no such service, or no bus, is one. A main loop that would have waited
 * goes without a monitor until then. */

/* In microseconds. */
#define FAST G_TIME_SPAN_SECOND

static GMutex lock;
static gboolean is_near;   /* the answer came fast */
static gboolean is_asked;  /* there is a thread */
static GPtrArray *waiting; /* owned, of owned GSource, NULL while nobody waits */

/* Not the connection that a process shares: that ends the process when the bus goes. */
static GDBusConnection *
connect_to_bus (GBusType type)
{
  g_autofree char *address = g_dbus_address_get_for_bus_sync (type, NULL, NULL);

  if (address == NULL)
    return NULL;
  return g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, NULL);
}

/* What comes back does not matter. */
static void
ask (GBusType type, const char *service, const char *path, const char *interface)
{
  g_autoptr(GDBusConnection) bus = connect_to_bus (type);
  g_autoptr(GVariant) properties = NULL;
  GDBusCallFlags flags =
      type == G_BUS_TYPE_SYSTEM ? G_DBUS_CALL_FLAGS_NO_AUTO_START : G_DBUS_CALL_FLAGS_NONE;

  if (bus != NULL)
    properties = g_dbus_connection_call_sync (bus, service, path, "org.freedesktop.DBus.Properties",
                                              "GetAll", g_variant_new ("(s)", interface), NULL,
                                              flags, -1, NULL, NULL);
}

static gboolean
is_sandboxed (void)
{
  return g_getenv ("GTK_USE_PORTAL") != NULL || g_getenv ("SNAP") != NULL
         || g_file_test ("/.flatpak-info", G_FILE_TEST_EXISTS);
}

static void
ask_all (void)
{
  if (is_sandboxed ())
    ask (G_BUS_TYPE_SESSION, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop",
         "org.freedesktop.portal.NetworkMonitor");
  ask (G_BUS_TYPE_SYSTEM, "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager",
       "org.freedesktop.NetworkManager");
}

static void *
ask_cb (void *data)
{
  gint64 begun;

  do
    {
      begun = g_get_monotonic_time ();
      ask_all ();
    }
  while (g_get_monotonic_time () - begun > FAST);

  g_mutex_lock (&lock);
  is_near = TRUE;
  for (unsigned int i = 0; waiting != NULL && i < waiting->len; i++)
    g_source_set_ready_time (waiting->pdata[i], 0);
  g_clear_pointer (&waiting, g_ptr_array_unref);
  g_mutex_unlock (&lock);
  return NULL;
}

/* Registering a type with interfaces takes GLib's lock of classes, which is held while a class is
 * made; and a class that is made here, such as SoupSession's, names types. Were the thread just
 * registering one of them, each would wait for the other, for ever. */
static void
register_types (void)
{
  g_type_ensure (G_TYPE_SOCKET);
  g_type_ensure (G_TYPE_SOCKET_ADDRESS);
  g_type_ensure (G_TYPE_INET_SOCKET_ADDRESS);
  g_type_ensure (G_TYPE_UNIX_SOCKET_ADDRESS);
  g_type_ensure (G_TYPE_PROXY_ADDRESS);
  g_type_ensure (G_TYPE_SOCKET_CLIENT);
  g_type_ensure (G_TYPE_SOCKET_CONNECTION);
  g_type_ensure (G_TYPE_UNIX_CONNECTION);
  g_type_ensure (G_TYPE_DBUS_CONNECTION);
}

/* Where there are no threads, waiting is the lesser evil. */
static void
start_asking (void)
{
  g_autoptr(GThread) thread = NULL;

  if (is_asked)
    return;
  register_types ();
  thread = g_thread_try_new ("vtunnel network", ask_cb, NULL, NULL);
  is_asked = thread != NULL;
  is_near = thread == NULL;
}

gboolean
vt_network_monitor_is_near (GSource *source)
{
  gboolean result;

  g_mutex_lock (&lock);
  if (!is_near)
    start_asking ();
  if (!is_near && waiting == NULL)
    waiting = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);
  if (!is_near)
    g_ptr_array_add (waiting, g_source_ref (source));
  result = is_near;
  g_mutex_unlock (&lock);
  return result;
}

void
vt_network_monitor_forget (GSource *source)
{
  g_mutex_lock (&lock);
  if (waiting != NULL)
    g_ptr_array_remove (waiting, source);
  g_mutex_unlock (&lock);
}

/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>
#include <unistd.h>

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#include "vt-network-monitor-private.h"
#include "vt-network-watch-private.h"

/* The system bus, or what is there, does not answer: no main loop waits for that. Each case is a
 * process of its own, since GLib has one monitor in each. */

#define DEADLINE (20 * G_TIME_SPAN_SECOND)

/* A bus that takes connections; it answers nothing at all, or only `Hello`. */
typedef struct {
  char *folder;        /* owned */
  char *path;          /* owned */
  GSocket *silent;     /* owned, nullable */
  GDBusServer *server; /* owned, nullable */
  GPtrArray *clients;  /* owned, of owned GDBusConnection */
  int n_asked;         /* how often NetworkManager was */
  int n_told;
} Bus;

static void
bus_init (Bus *self)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *address = NULL;

  self->clients = g_ptr_array_new_with_free_func (g_object_unref);
  self->folder = g_dir_make_tmp ("vtunnel-bus-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "bus", NULL);
  address = g_strconcat ("unix:path=", self->path, NULL);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
}

static void
bus_clear (Bus *self)
{
  g_remove (self->path);
  g_rmdir (self->folder);
  g_free (self->path);
  g_free (self->folder);
  g_ptr_array_unref (self->clients);
}

static void
bus_listen_silently (Bus *self)
{
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new (self->path);
  g_autoptr(GError) error = NULL;

  self->silent =
      g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_assert_no_error (error);
  g_socket_bind (self->silent, address, FALSE, &error);
  g_assert_no_error (error);
  g_socket_listen (self->silent, &error);
  g_assert_no_error (error);
}

/* In GDBus's own thread. */
static GDBusMessage *
filter_cb (GDBusConnection *connection,
           GDBusMessage *message,
           gboolean incoming,
           gpointer user_data)
{
  Bus *self = user_data;
  g_autoptr(GDBusMessage) reply = NULL;

  if (!incoming)
    return message;
  if (g_strcmp0 (g_dbus_message_get_member (message), "GetAll") == 0)
    g_atomic_int_inc (&self->n_asked);
  if (g_strcmp0 (g_dbus_message_get_member (message), "Hello") == 0)
    {
      reply = g_dbus_message_new_method_reply (message);
      g_dbus_message_set_body (reply, g_variant_new ("(s)", ":1.1"));
      g_dbus_connection_send_message (connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL,
                                      NULL);
    }
  g_object_unref (message);
  return NULL;
}

static gboolean
new_connection_cb (GDBusServer *server, GDBusConnection *connection, gpointer user_data)
{
  Bus *self = user_data;

  g_ptr_array_add (self->clients, g_object_ref (connection));
  g_dbus_connection_add_filter (connection, filter_cb, self, NULL);
  return TRUE;
}

static void
bus_serve (Bus *self)
{
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autofree char *address = g_strconcat ("unix:path=", self->path, NULL);
  g_autoptr(GError) error = NULL;

  self->server =
      g_dbus_server_new_sync (address, G_DBUS_SERVER_FLAGS_NONE, guid, NULL, NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (self->server, "new-connection", G_CALLBACK (new_connection_cb), self);
  g_dbus_server_start (self->server);
}

/* The bus goes away, and what was asked there is answered by that. */
static void
bus_stop (Bus *self)
{
  if (self->silent != NULL)
    g_socket_close (self->silent, NULL);
  g_clear_object (&self->silent);
  if (self->server != NULL)
    g_dbus_server_stop (self->server);
  g_clear_object (&self->server);
  for (unsigned int i = 0; i < self->clients->len; i++)
    g_dbus_connection_close_sync (self->clients->pdata[i], NULL, NULL);
}

/* What another thread does wakes nobody here. */
static void
tick_cb (void *user_data)
{
  VtTimer **tick = user_data;

  vt_timer_start (*tick, 5 * G_TIME_SPAN_MILLISECOND);
}

#define WAIT(condition)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr(VtClock) real = vt_clock_get (NULL);                                                \
    gint64 deadline = g_get_monotonic_time () + DEADLINE;                                          \
    VtTimer *tick = vt_timer_new (real, "tick", tick_cb, &tick);                                   \
                                                                                                   \
    tick_cb (&tick);                                                                               \
    while (!(condition))                                                                           \
      {                                                                                            \
        g_main_context_iteration (NULL, TRUE);                                                     \
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);                                    \
      }                                                                                            \
    vt_timer_free (tick);                                                                          \
  }                                                                                                \
  G_STMT_END

static void
changed_cb (void *user_data)
{
  ((Bus *) user_data)->n_told++;
}

static gboolean
never_cb (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_assert_not_reached ();
}

static GSourceFuncs never_funcs = { .dispatch = never_cb };

static gboolean
is_near (void)
{
  g_autoptr(GSource) source = g_source_new (&never_funcs, sizeof (GSource));
  gboolean near = vt_network_monitor_is_near (source);

  vt_network_monitor_forget (source);
  return near;
}

/* Watches come and go meanwhile; the one that stays has a monitor when there can be one. */
static void
check_watch (Bus *self, gboolean is_silent)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  g_autoptr(VtNetworkWatch) watch = vt_network_watch_new (NULL, clock, changed_cb, self);

  for (unsigned int i = 0; i < 3; i++)
    vt_network_watch_free (vt_network_watch_new (NULL, clock, changed_cb, self));
  if (self->server != NULL)
    WAIT (g_atomic_int_get (&self->n_asked) > 0);
  if (is_silent)
    g_assert_false (is_near ());
  bus_stop (self);
  WAIT (is_near ());
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_signal_emit_by_name (g_network_monitor_get_default (), "network-changed", TRUE);
  WAIT (self->n_told > 0);
}

typedef enum { NO_BUS, SILENT_BUS, SILENT_SERVICE } Kind;

static void
test_kind (gconstpointer data)
{
  Kind kind = GPOINTER_TO_INT (data);
  Bus bus = { 0 };

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, DEADLINE, 0);
      g_test_trap_assert_passed ();
      return;
    }
  bus_init (&bus);
  if (kind == SILENT_BUS)
    bus_listen_silently (&bus);
  if (kind == SILENT_SERVICE)
    bus_serve (&bus);
  check_watch (&bus, kind != NO_BUS);
  bus_clear (&bus);
}

/* While a class is made, no other thread registers a type with interfaces: what the one that asks
 * needs has to be there before it, or each could wait for the other. */
static void
make_class_cb (gpointer class, gpointer data)
{
  is_near ();
  g_assert_cmpuint (g_type_from_name ("GUnixSocketAddress"), !=, 0);
  g_assert_cmpuint (g_type_from_name ("GUnixConnection"), !=, 0);
}

static void
test_types (void)
{
  const GTypeInfo info = {
    .class_size = sizeof (GObjectClass),
    .class_init = make_class_cb,
    .instance_size = sizeof (GObject),
  };

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, DEADLINE, 0);
      g_test_trap_assert_passed ();
      return;
    }
  g_type_class_unref (
      g_type_class_ref (g_type_register_static (G_TYPE_OBJECT, "TestClass", &info, 0)));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/network-monitor/no-bus", GINT_TO_POINTER (NO_BUS), test_kind);
  g_test_add_data_func ("/network-monitor/silent-bus", GINT_TO_POINTER (SILENT_BUS), test_kind);
  g_test_add_data_func ("/network-monitor/silent-service", GINT_TO_POINTER (SILENT_SERVICE),
                        test_kind);
  g_test_add_func ("/network-monitor/types", test_types);
  return g_test_run ();
}

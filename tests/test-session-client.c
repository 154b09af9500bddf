/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <signal.h>
#include <string.h>
#include <vtunnel-session/vtunnel-session.h>
#include <vtunnel/vtunnel.h>

#include "scratch.h"

/* The session service as a C program sees it through the installed library: on a bus of the test's
 * own, on which nothing runs before it is called. */

#define NAME "io.github.vtunnel.Vtunnel1"
#define ROOT "/io/github/vtunnel/Vtunnel1"

typedef struct {
  char *scratch;                  /* owned */
  GTestDBus *bus;                 /* owned */
  GDBusConnection *call;          /* owned */
  VtServer *server;               /* owned */
  char *uri;                      /* owned */
  VtunnelSessionManager *manager; /* owned */
} Fixture;

#define WAIT(condition)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 wait_deadline = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;                          \
                                                                                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        turn ();                                                                                   \
        if (g_get_monotonic_time () > wait_deadline)                                               \
          g_error ("%s:%d: still not: %s", __FILE__, __LINE__, #condition);                        \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

static gboolean
tick_cb (void *user_data)
{
  return G_SOURCE_CONTINUE;
}

static void
turn (void)
{
  g_autoptr(GSource) tick = g_timeout_source_new (5);

  g_source_set_callback (tick, tick_cb, NULL, NULL);
  g_source_attach (tick, NULL);
  g_main_context_iteration (NULL, TRUE);
  g_source_destroy (tick);
}

/* The bus, and what it starts, keep nothing of the user's. */
static void
begin_bus (Fixture *self)
{
  g_autofree char *services = g_build_filename (self->scratch, "services", NULL);
  g_autofree char *file = g_build_filename (services, NAME ".service", NULL);
  g_autofree char *text =
      g_strdup_printf ("[D-BUS Service]\nName=" NAME "\nExec=\"%s\"\n", g_getenv ("VT_SESSION"));

  g_setenv ("HOME", self->scratch, TRUE);
  g_setenv ("XDG_CONFIG_HOME", self->scratch, TRUE);
  g_setenv ("XDG_DATA_HOME", self->scratch, TRUE);
  g_assert_cmpint (g_mkdir (services, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
  self->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_add_service_dir (self->bus, services);
  g_test_dbus_up (self->bus);
}

static guint32
get_pid (Fixture *self)
{
  g_autoptr(GVariant) reply =
      g_dbus_connection_call_sync (self->call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                                   g_variant_new ("(s)", NAME), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                                   NULL, NULL);
  guint32 pid = 0;

  if (reply != NULL)
    g_variant_get (reply, "(u)", &pid);
  return pid;
}

static void
set_up (Fixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;

  self->scratch = g_dir_make_tmp ("session-XXXXXX", NULL);
  begin_bus (self);
  self->call =
      g_dbus_connection_new_for_address_sync (g_test_dbus_get_bus_address (self->bus),
                                              G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
                                                  | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                              NULL, NULL, &error);
  g_assert_no_error (error);
  self->server = vt_server_new ();
  vt_server_listen (self->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (self->server, NULL);
  self->uri = g_strdup_printf ("ws://127.0.0.1:%u/", ports[0]);
  self->manager = vtunnel_session_manager_proxy_new_sync (self->call, G_DBUS_PROXY_FLAGS_NONE, NAME,
                                                          ROOT "/Manager", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (get_pid (self), !=, 0);
}

/* The bus has let go of it, so its status may lie around. */
static gboolean
is_gone (guint32 pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/stat", pid);
  g_autofree char *text = NULL;

  return !g_file_get_contents (path, &text, NULL, NULL)
         || strncmp (strrchr (text, ')'), ") Z", 3) == 0;
}

/* In order: it is told to, and its bus outlasts it. */
static void
stop_service (Fixture *self)
{
  guint32 pid = get_pid (self);

  if (pid == 0)
    return;
  g_assert_cmpint (kill ((pid_t) pid, SIGTERM), ==, 0);
  WAIT (is_gone (pid));
}

static void
tear_down (Fixture *self, const void *data)
{
  stop_service (self);
  g_object_unref (self->manager);
  g_object_unref (self->server);
  g_dbus_connection_close_sync (self->call, NULL, NULL);
  g_object_unref (self->call);
  g_test_dbus_down (self->bus);
  g_object_unref (self->bus);
  scratch_remove (self->scratch);
  g_free (self->uri);
  g_free (self->scratch);
}

static VtunnelSessionTunnel *
create (Fixture *self, const char *options)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = NULL;
  VtunnelSessionTunnel *tunnel = NULL;

  vtunnel_session_manager_call_create_tunnel_sync (
      self->manager, self->uri, g_variant_new_parsed ("[('0', 'localhost:1', @a{sv} {})]"),
      g_variant_new_parsed (options), G_DBUS_CALL_FLAGS_NONE, -1, &path, NULL, &error);
  g_assert_no_error (error);
  tunnel = vtunnel_session_tunnel_proxy_new_sync (self->call, G_DBUS_PROXY_FLAGS_NONE, NAME, path,
                                                  NULL, &error);
  g_assert_no_error (error);
  return tunnel;
}

static gboolean
is_in_state (VtunnelSessionTunnel *tunnel, const char *state)
{
  return g_strcmp0 (vtunnel_session_tunnel_get_state (tunnel), state) == 0;
}

static void
set_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_set_object ((GAsyncResult **) user_data, result);
}

/* The server, which has a part in it, is in the same main loop. */
static void
delete_tunnel (VtunnelSessionTunnel *tunnel)
{
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GError) error = NULL;

  vtunnel_session_tunnel_call_delete (tunnel, G_DBUS_CALL_FLAGS_NONE, -1, NULL, set_cb, &result);
  WAIT (result != NULL);
  vtunnel_session_tunnel_call_delete_finish (tunnel, result, &error);
  g_assert_no_error (error);
}

/* The first call has started the service; then the proxy follows the tunnel. */
static void
test_life (Fixture *self, const void *data)
{
  g_autoptr(VtunnelSessionTunnel) tunnel = NULL;
  g_autoptr(GVariant) statistics = NULL;
  g_autoptr(GError) error = NULL;
  unsigned int protocol = 0;

  tunnel = create (self, "{'name': <'web'>, 'open': <true>}");
  g_assert_cmpstr (vtunnel_session_tunnel_get_name (tunnel), ==, "web");
  g_assert_cmpstr (vtunnel_session_tunnel_get_owner (tunnel), ==,
                   g_dbus_connection_get_unique_name (self->call));
  WAIT (is_in_state (tunnel, "connected"));
  g_assert_cmpint (vtunnel_session_tunnel_get_connected_since (tunnel), >, 0);
  g_assert_true (vtunnel_session_tunnel_call_get_statistics_sync (tunnel, G_DBUS_CALL_FLAGS_NONE,
                                                                  -1, &statistics, NULL, &error));
  g_assert_true (g_variant_lookup (statistics, "protocol", "u", &protocol));
  g_assert_cmpuint (protocol, ==, 2);
  delete_tunnel (tunnel);
  /* What is gone is not there, and says so in a way that GDBus knows. */
  g_assert_false (
      vtunnel_session_tunnel_call_open_sync (tunnel, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error));
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
}

static void
count_cb (GDBusObjectManager *client, GDBusObject *object, unsigned int *count)
{
  g_autoptr(VtunnelSessionTunnel) tunnel =
      vtunnel_session_object_get_tunnel (VTUNNEL_SESSION_OBJECT (object));

  if (tunnel != NULL)
    ++*count;
}

static gboolean
has_owner (GDBusObjectManager *client)
{
  g_autofree char *owner =
      g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (client));

  return owner != NULL;
}

/* All objects, as they come and go; and a second process takes over where the first one ended. */
static void
test_object_manager (Fixture *self, const void *data)
{
  unsigned int n_added = 0;
  unsigned int n_removed = 0;
  g_autoptr(GError) error = NULL;
  g_autoptr(VtunnelSessionTunnel) passing = NULL;
  g_autoptr(VtunnelSessionTunnel) kept = NULL;
  g_autoptr(GDBusObject) object = NULL;
  g_autoptr(GDBusObjectManager) client = vtunnel_session_object_manager_client_new_sync (
      self->call, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_NONE, NAME, ROOT, NULL, &error);

  g_assert_no_error (error);
  g_signal_connect (client, "object-added", G_CALLBACK (count_cb), &n_added);
  g_signal_connect (client, "object-removed", G_CALLBACK (count_cb), &n_removed);
  passing = create (self, "{'lifetime': <'session'>}");
  kept = create (self, "{'lifetime': <'persistent'>, 'autoconnect': <true>}");
  WAIT (n_added == 2);

  stop_service (self);
  WAIT (!has_owner (client));
  g_assert_cmpuint (n_removed, ==, 2);
  n_added = 0;
  WAIT (vtunnel_session_tunnel_call_open_sync (kept, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL));
  WAIT (n_added == 1);
  object =
      g_dbus_object_manager_get_object (client, g_dbus_proxy_get_object_path (G_DBUS_PROXY (kept)));
  g_assert_nonnull (object);
  WAIT (is_in_state (kept, "connected"));
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/session-client/life", test_life);
  ADD ("/session-client/object-manager", test_object_manager);
  return g_test_run ();
}

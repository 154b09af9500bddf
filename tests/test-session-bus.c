/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "session-fixture.h"
#include "vts-bus.h"

/* The service's objects on a bus of the test's own, in one process with those who call them. */

#define MANAGER OBJECT_PATH "/Manager"

typedef struct {
  SessionFixture base;
  GDBusConnection *service; /* owned */
  GDBusConnection *caller;  /* owned */
  VtsBus *objects;          /* owned */
  gboolean refuses;         /* all calls */
  gboolean needed_service;  /* the last one */
} Fixture;

static GTestDBus *bus;

static gboolean
gate_cb (gboolean needs_service, void *user_data)
{
  Fixture *self = user_data;

  self->needed_service = needs_service;
  return !self->refuses;
}

static GDBusConnection *
join_bus (void)
{
  g_autoptr(GError) error = NULL;
  GDBusConnection *connection =
      g_dbus_connection_new_for_address_sync (g_test_dbus_get_bus_address (bus),
                                              G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
                                                  | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                              NULL, NULL, &error);

  g_assert_no_error (error);
  return connection;
}

static void
leave_bus (GDBusConnection *connection)
{
  g_dbus_connection_close_sync (connection, NULL, NULL);
  g_object_unref (connection);
}

static void
set_up (Fixture *self, const void *data)
{
  session_fixture_set_up (&self->base, data);
  self->service = join_bus ();
  self->caller = join_bus ();
  self->objects = vts_bus_new (self->base.manager, TRUE, gate_cb, self);
  vts_bus_export (self->objects, self->service);
}

static void
tear_down (Fixture *self, const void *data)
{
  vts_bus_unexport (self->objects);
  g_assert_false (vts_bus_is_busy (self->objects));
  g_assert_finalize_object (self->objects);
  session_fixture_tear_down (&self->base, data);
  leave_bus (self->caller);
  leave_bus (self->service);
}

static void
set_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_set_object ((GAsyncResult **) user_data, result);
}

/* `arguments` is a text, or NULL if there are none. */
static GVariant *
call_from (Fixture *self,
           GDBusConnection *caller,
           const char *path,
           const char *method,
           const char *arguments,
           GError **error)
{
  g_autoptr(GAsyncResult) result = NULL;
  const char *interface = strcmp (path, MANAGER) == 0 ? BUS_NAME ".Manager" : BUS_NAME ".Tunnel";
  GVariant *parameters =
      arguments != NULL ? g_variant_new_parsed (arguments) : g_variant_new ("()");

  g_dbus_connection_call (caller, g_dbus_connection_get_unique_name (self->service), path,
                          interface, method, parameters, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                          set_cb, &result);
  SESSION_WAIT (result != NULL);
  return g_dbus_connection_call_finish (caller, result, error);
}

static void
refuses_from (Fixture *self,
              GDBusConnection *caller,
              VtunnelSessionError code,
              const char *path,
              const char *method,
              const char *arguments)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (call_from (self, caller, path, method, arguments, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, (int) code);
}

static void
succeeds (Fixture *self, const char *path, const char *method, const char *arguments)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = call_from (self, self->caller, path, method, arguments, &error);

  g_assert_no_error (error);
}

/* The path; `options` as a text. */
static char *
create (Fixture *self, const char *uri, const char *options)
{
  g_autofree char *arguments =
      g_strdup_printf ("('%s', [('0', 'localhost:1', @a{sv} {})], %s)", uri, options);
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply =
      call_from (self, self->caller, MANAGER, "CreateTunnel", arguments, &error);
  char *path = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(o)", &path);
  return path;
}

static VtsTunnel *
get_tunnel (Fixture *self, const char *path)
{
  return vts_manager_find (self->base.manager, strrchr (path, '/') + 1, NULL);
}

static void
test_lifetimes (Fixture *self, const void *data)
{
  g_autofree char *own = create (self, "ws://127.0.0.1:1/", "@a{sv} {}");
  g_autofree char *shared = create (self, "ws://127.0.0.1:1/", "{'lifetime': <'session'>}");

  g_assert_cmpstr (vts_tunnel_get_owner (get_tunnel (self, own)), ==,
                   g_dbus_connection_get_unique_name (self->caller));
  g_assert_null (vts_tunnel_get_owner (get_tunnel (self, shared)));
  g_dbus_connection_close_sync (self->caller, NULL, NULL);
  SESSION_WAIT (get_tunnel (self, own) == NULL);
  g_assert_nonnull (get_tunnel (self, shared));
}

static void
test_wrong_caller (Fixture *self, const void *data)
{
  static const struct {
    const char *method;
    const char *arguments;
  } calls[] = {
    { "Open", NULL },
    { "Close", NULL },
    { "Delete", NULL },
    { "Update", "(@a{sv} {},)" },
    { "SetSecrets", "({'token': <'x'>}, 'memory')" },
  };
  g_autofree char *path = create (self, "ws://127.0.0.1:1/", "@a{sv} {}");
  g_autoptr(GVariant) statistics = NULL;
  GDBusConnection *other = join_bus ();

  for (size_t i = 0; i < G_N_ELEMENTS (calls); i++)
    refuses_from (self, other, VTUNNEL_SESSION_ERROR_NOT_AUTHORISED, path, calls[i].method,
                  calls[i].arguments);
  g_assert_cmpint (vts_tunnel_get_state (get_tunnel (self, path)), ==, VTS_STATE_INACTIVE);
  statistics = call_from (self, other, path, "GetStatistics", NULL, NULL);
  g_assert_nonnull (statistics);
  leave_bus (other);
}

static void
test_refusals (Fixture *self, const void *data)
{
  static const char *const invalid[] = {
    "('nonsense', @a(ssa{sv}) [], @a{sv} {})",
    "('ws://127.0.0.1:1/', [('-x', '1', @a{sv} {})], @a{sv} {})",
    "('ws://127.0.0.1:1/', @a(ssa{sv}) [], {'open': <'yes'>})",
    "('ws://127.0.0.1:1/', @a(ssa{sv}) [], {'lifetime': <'long'>})",
    "('ws://127.0.0.1:1/', @a(ssa{sv}) [], {'unknown': <true>})",
  };
  g_autofree char *path = create (self, "ws://127.0.0.1:1/", "@a{sv} {}");

  for (size_t i = 0; i < G_N_ELEMENTS (invalid); i++)
    refuses_from (self, self->caller, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT, MANAGER,
                  "CreateTunnel", invalid[i]);
  refuses_from (self, self->caller, VTUNNEL_SESSION_ERROR_NO_SUCH_TUNNEL, MANAGER, "FindTunnel",
                "('none',)");
  self->base.keyring->locked = TRUE;
  refuses_from (self, self->caller, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE, path, "SetSecrets",
                "({'token': <'x'>}, 'keyring')");
  g_assert_true (g_file_set_contents (self->base.folder, "", 0, NULL));
  refuses_from (self, self->caller, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED, MANAGER,
                "CreateTunnel",
                "('ws://127.0.0.1:1/', @a(ssa{sv}) [], {'lifetime': <'persistent'>})");
  g_assert_cmpstr (self->base.log->str, ==, "+");
}

/* One that is refused at the gate is answered so, and was not carried out; and the gate is told
 * which need a service that goes on. */
static void
test_gate (Fixture *self, const void *data)
{
  const struct {
    const char *method;
    const char *arguments;
    gboolean needs_service;
  } calls[] = {
    { "CreateTunnel", "('ws://x/', @a(ssa{sv}) [], @a{sv} {})", TRUE },
    { "CreateTunnel", "('ws://x/', @a(ssa{sv}) [], {'lifetime': <'session'>})", TRUE },
    { "CreateTunnel", "('ws://x/', @a(ssa{sv}) [], {'lifetime': <'persistent'>})", FALSE },
    { "CreateTunnel", "('ws://x/', @a(ssa{sv}) [], {'lifetime': <'persistent'>, 'open': <true>})",
      TRUE },
    { "FindTunnel", "('web',)", FALSE },
    { "Open", NULL, TRUE },
    { "Close", NULL, FALSE },
    { "Update", "({'name': <'new'>},)", FALSE },
    { "SetSecrets", "({'token': <'x'>}, 'memory')", TRUE },
    { "SetSecrets", "({'token': <'x'>}, 'keyring')", FALSE },
    { "GetStatistics", NULL, FALSE },
    { "Delete", NULL, FALSE },
  };
  g_autofree char *path = create (self, "ws://127.0.0.1:1/", "{'name': <'web'>}");

  self->refuses = TRUE;
  for (size_t i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      g_autoptr(GError) error = NULL;
      const char *object = g_str_has_suffix (calls[i].method, "Tunnel") ? MANAGER : path;

      self->needed_service = !calls[i].needs_service;
      g_assert_null (
          call_from (self, self->caller, object, calls[i].method, calls[i].arguments, &error));
      g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY);
      g_assert_cmpint (self->needed_service, ==, calls[i].needs_service);
    }
  g_assert_cmpstr (self->base.log->str, ==, "+");
  g_assert_cmpstr (vts_tunnel_get_settings (get_tunnel (self, path))->name, ==, "web");
  g_assert_cmpint (vts_tunnel_get_state (get_tunnel (self, path)), ==, VTS_STATE_INACTIVE);
}

/* A call that takes its time is told of until it is answered. */
static void
test_busy (Fixture *self, const void *data)
{
  g_autofree char *path = create (self, self->base.uri, "{'open': <true>}");
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GVariant) reply = NULL;

  SESSION_WAIT (vts_tunnel_get_state (get_tunnel (self, path)) == VTS_STATE_CONNECTED);
  g_assert_false (vts_bus_is_busy (self->objects));
  g_dbus_connection_call (self->caller, g_dbus_connection_get_unique_name (self->service), path,
                          BUS_NAME ".Tunnel", "Close", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                          set_cb, &result);
  SESSION_WAIT (vts_bus_is_busy (self->objects));
  g_assert_null (result);
  SESSION_WAIT (result != NULL);
  g_assert_false (vts_bus_is_busy (self->objects));
  reply = g_dbus_connection_call_finish (self->caller, result, NULL);
  g_assert_nonnull (reply);
  g_assert_cmpint (vts_tunnel_get_state (get_tunnel (self, path)), ==, VTS_STATE_INACTIVE);
}

/* A program that goes while its call is served. */
static void
test_caller_goes (Fixture *self, const void *data)
{
  g_autofree char *path = create (self, self->base.uri, "{'open': <true>}");

  SESSION_WAIT (vts_tunnel_get_state (get_tunnel (self, path)) == VTS_STATE_CONNECTED);
  g_dbus_connection_call (self->caller, g_dbus_connection_get_unique_name (self->service), path,
                          BUS_NAME ".Tunnel", "Delete", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, NULL, NULL);
  g_assert_true (g_dbus_connection_flush_sync (self->caller, NULL, NULL));
  g_dbus_connection_close_sync (self->caller, NULL, NULL);
  SESSION_WAIT (get_tunnel (self, path) == NULL);
  SESSION_WAIT (!vts_bus_is_busy (self->objects));
  g_assert_cmpstr (self->base.log->str, ==, "+-");
}

static void
properties_changed_cb (GDBusConnection *connection,
                       const char *sender,
                       const char *path,
                       const char *interface,
                       const char *signal,
                       GVariant *parameters,
                       void *user_data)
{
  GPtrArray *changes = user_data;
  GVariant *changed = NULL;

  g_variant_get (parameters, "(&s@a{sv}@as)", NULL, &changed, NULL);
  g_ptr_array_add (changes, changed);
}

static void
unref_variant (void *variant)
{
  g_variant_unref (variant);
}

static gboolean
has_state (GPtrArray *changes, const char *state)
{
  for (unsigned int i = 0; i < changes->len; i++)
    {
      const char *word = NULL;

      if (g_variant_lookup (changes->pdata[i], "State", "&s", &word) && strcmp (word, state) == 0)
        return TRUE;
    }
  return FALSE;
}

/* Each step is one signal, and what stays the same makes none. */
static void
test_changes (Fixture *self, const void *data)
{
  g_autofree char *path = create (self, self->base.uri, "{'name': <'web'>}");
  g_autoptr(GPtrArray) changes = g_ptr_array_new_with_free_func (unref_variant);
  gint64 since = 0;
  unsigned int id =
      g_dbus_connection_signal_subscribe (self->caller, NULL, "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged", path, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                          properties_changed_cb, changes, NULL);

  succeeds (self, path, "Open", NULL);
  SESSION_WAIT (has_state (changes, "connected"));
  g_assert_true (has_state (changes, "connecting"));
  g_assert_cmpuint (changes->len, ==, 2);
  g_assert_true (g_variant_lookup (changes->pdata[1], "ConnectedSince", "x", &since));
  g_assert_cmpint (since, >, 0);
  succeeds (self, path, "Update", "({'name': <'web'>},)");
  succeeds (self, path, "Update", "({'name': <'new'>, 'autoconnect': <true>},)");
  SESSION_WAIT (changes->len == 3);
  g_assert_cmpuint (g_variant_n_children (changes->pdata[2]), ==, 2);
  g_dbus_connection_signal_unsubscribe (self->caller, id);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (bus);

  ADD ("/session-bus/lifetimes", test_lifetimes);
  ADD ("/session-bus/wrong-caller", test_wrong_caller);
  ADD ("/session-bus/refusals", test_refusals);
  ADD ("/session-bus/gate", test_gate);
  ADD ("/session-bus/busy", test_busy);
  ADD ("/session-bus/caller-goes", test_caller_goes);
  ADD ("/session-bus/changes", test_changes);
  status = g_test_run ();
  g_test_dbus_down (bus);
  g_object_unref (bus);
  return status;
}

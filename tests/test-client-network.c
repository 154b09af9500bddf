/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"
#include "time-skip.h"
#include "vt-client-struct-private.h"

/* When a client tries again: by its backoff, by what the server asks for, and because the network
 * has changed. */

#define TYPE_DUMMY_MONITOR (dummy_monitor_get_type ())
G_DECLARE_FINAL_TYPE (DummyMonitor, dummy_monitor, DUMMY, MONITOR, GObject)

/* A network that changes when it is told to. */
struct _DummyMonitor {
  GObject parent_instance;
};

enum { PROP_AVAILABLE = 1, PROP_METERED, PROP_CONNECTIVITY };

static void
dummy_monitor_init_interface (GNetworkMonitorInterface *interface)
{
}

G_DEFINE_FINAL_TYPE_WITH_CODE (DummyMonitor,
                               dummy_monitor,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, NULL)
                                   G_IMPLEMENT_INTERFACE (G_TYPE_NETWORK_MONITOR,
                                                          dummy_monitor_init_interface))

static void
dummy_monitor_get_property (GObject *object, unsigned int id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_CONNECTIVITY)
    g_value_set_enum (value, G_NETWORK_CONNECTIVITY_FULL);
  else
    g_value_set_boolean (value, id == PROP_AVAILABLE);
}

static void
dummy_monitor_class_init (DummyMonitorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = dummy_monitor_get_property;
  g_object_class_override_property (object_class, PROP_AVAILABLE, "network-available");
  g_object_class_override_property (object_class, PROP_METERED, "network-metered");
  g_object_class_override_property (object_class, PROP_CONNECTIVITY, "connectivity");
}

static void
dummy_monitor_init (DummyMonitor *self)
{
}

typedef struct {
  ReconnectFixture base;
  GNetworkMonitor *monitor; /* owned */
} Fixture;

static void
set_up (Fixture *self, const void *data)
{
  reconnect_set_up (&self->base, data);
  self->monitor = g_object_new (TYPE_DUMMY_MONITOR, NULL);
  vt_client_set_network_monitor (self->base.base.client, self->monitor);
  g_object_set (self->base.base.client, "reconnect-min", 10.0, "reconnect-max", 60.0, NULL);
}

static void
tear_down (Fixture *self, const void *data)
{
  reconnect_tear_down (&self->base, data);
  g_assert_finalize_object (self->monitor);
}

static VtClient *
get_client (Fixture *self)
{
  return self->base.base.client;
}

/* The watch waits a moment for more of the same. */
static void
change_network (Fixture *self)
{
  g_signal_emit_by_name (self->monitor, "network-changed", TRUE);
  raw_settle ();
  time_skip (G_TIME_SPAN_SECOND);
}

/* Seconds until the next attempt. */
static double
get_wait (Fixture *self)
{
  gint64 next = vt_client_get_next_retry (get_client (self));

  g_assert_cmpint (next, >, 0);
  return (double) (next - g_get_monotonic_time ()) / G_TIME_SPAN_SECOND;
}

static void
expect_wait (Fixture *self, double min, double max)
{
  double wait = get_wait (self);

  /* The test itself takes a moment. */
  g_assert_cmpfloat (wait, >, min - 3.0);
  g_assert_cmpfloat (wait, <=, max);
}

static void
refuse (Fixture *self, const char *fields)
{
  reconnect_refuse (&self->base, "503 Service Unavailable", fields);
  RAW_WAIT (vt_client_get_next_retry (get_client (self)) != 0);
}

static void
test_backoff (Fixture *self, const void *data)
{
  reconnect_begin_v1 (&self->base);
  reconnect_cut (&self->base);
  expect_wait (self, 5, 10);
  time_skip (10 * G_TIME_SPAN_SECOND);
  refuse (self, "");
  expect_wait (self, 10, 20);
  time_skip (20 * G_TIME_SPAN_SECOND);
  refuse (self, "");
  expect_wait (self, 20, 40);
  for (int i = 0; i < 3; i++)
    {
      time_skip (60 * G_TIME_SPAN_SECOND);
      refuse (self, "");
      expect_wait (self, 30, 60);
    }
}

/* A link that falls at once is no success, and one that stood a while is. */
static void
test_reset (Fixture *self, const void *data)
{
  reconnect_begin_v1 (&self->base);
  reconnect_cut (&self->base);
  time_skip (10 * G_TIME_SPAN_SECOND);
  reconnect_accept (&self->base, NULL);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  reconnect_cut (&self->base);
  expect_wait (self, 10, 20);

  time_skip (20 * G_TIME_SPAN_SECOND);
  reconnect_accept (&self->base, NULL);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  time_skip (25 * G_TIME_SPAN_SECOND);
  reconnect_cut (&self->base);
  expect_wait (self, 5, 10);
}

static void
test_retry_after (Fixture *self, const void *data)
{
  reconnect_begin_v1 (&self->base);
  reconnect_cut (&self->base);
  time_skip (10 * G_TIME_SPAN_SECOND);
  refuse (self, "Retry-After: 300\r\n");
  expect_wait (self, 300, 300);
  change_network (self);
  refuse (self, "Retry-After: 1\r\n");
  expect_wait (self, 20, 40);
}

/* While the client waits. */
static void
test_waiting (Fixture *self, const void *data)
{
  reconnect_begin_v1 (&self->base);
  reconnect_cut (&self->base);
  raw_settle ();
  g_assert_cmpint (vt_client_get_next_retry (get_client (self)), >, 0);
  change_network (self);
  reconnect_accept (&self->base, NULL);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  g_assert_cmpint (vt_client_get_next_retry (get_client (self)), ==, 0);
}

/* During an attempt, which goes on; if it fails, the next one comes without a wait, but only
 * once. */
static void
test_attempt (Fixture *self, const void *data)
{
  reconnect_begin_v1 (&self->base);
  reconnect_cut (&self->base);
  time_skip (10 * G_TIME_SPAN_SECOND);
  reconnect_drop_link (&self->base);
  self->base.base.link = raw_server_wait_link (self->base.base.server);
  change_network (self);
  raw_settle ();
  g_assert_false (raw_link_is_ended (self->base.base.link));
  raw_link_reset (self->base.base.link);
  refuse (self, "");
  g_assert_cmpfloat (get_wait (self), >, 5);
}

/* While it is open: a server that does not answer is given up soon. */
static void
test_open (Fixture *self, const void *data)
{
  reconnect_begin_v2 (&self->base, 60);
  change_network (self);
  raw_settle ();
  time_skip (2 * G_TIME_SPAN_SECOND);
  raw_settle ();
  g_assert_cmpint (vt_client_get_state (get_client (self)), ==, VT_CLIENT_STATE_OPEN);
  time_skip (G_TIME_SPAN_SECOND);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_RECONNECTING);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_TIMED_OUT);
}

/* Nobody looks at the network for a client that would not reconnect, or is closed. */
static void
test_watched (Fixture *self, const void *data)
{
  g_assert_null (get_client (self)->retry.watch);
  reconnect_begin_v1 (&self->base);
  g_assert_nonnull (get_client (self)->retry.watch);
  vt_client_set_reconnect (get_client (self), FALSE);
  g_assert_null (get_client (self)->retry.watch);
  vt_client_set_reconnect (get_client (self), TRUE);
  g_assert_nonnull (get_client (self)->retry.watch);
  client_fixture_close (&self->base.base);
  g_assert_null (get_client (self)->retry.watch);
}

/* A user who does not want to wait; while there is nothing to wait for, it means nothing. */
static void
test_now (Fixture *self, const void *data)
{
  vt_client_retry_now (get_client (self));
  reconnect_begin_v1 (&self->base);
  vt_client_retry_now (get_client (self));
  raw_settle ();
  g_assert_cmpint (vt_client_get_state (get_client (self)), ==, VT_CLIENT_STATE_OPEN);

  reconnect_cut (&self->base);
  expect_wait (self, 5, 10);
  vt_client_retry_now (get_client (self));
  vt_client_retry_now (get_client (self));
  refuse (self, "");
  expect_wait (self, 10, 20);
  vt_client_retry_now (get_client (self));
  g_assert_cmpint (vt_client_get_next_retry (get_client (self)), ==, 0);
  reconnect_accept (&self->base, NULL);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
}

/* What waits keeps its session. */
static void
test_now_resumed (Fixture *self, const void *data)
{
  reconnect_begin_v2 (&self->base, 60);
  reconnect_cut (&self->base);
  expect_wait (self, 5, 10);
  vt_client_retry_now (get_client (self));
  reconnect_resume (&self->base);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  g_assert_cmpuint (vt_client_get_n_resumed (get_client (self)), ==, 1);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/client/retry/backoff", test_backoff);
  ADD ("/client/retry/reset", test_reset);
  ADD ("/client/retry/retry-after", test_retry_after);
  ADD ("/client/retry/now", test_now);
  ADD ("/client/retry/now-resumed", test_now_resumed);
  ADD ("/client/network/waiting", test_waiting);
  ADD ("/client/network/attempt", test_attempt);
  ADD ("/client/network/open", test_open);
  ADD ("/client/network/watched", test_watched);
  return g_test_run ();
}

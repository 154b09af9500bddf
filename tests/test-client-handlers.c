/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"

/* Whoever is told of anything may do anything: a client that loses its link, resumes, loses its
 * session and is refused in the end is interrupted at each single notification of all that. */

typedef enum { CLOSE, DISPOSE, DROP, GIVE_UP, UNLISTEN, CLOSE_AND_OPEN } Action;

typedef struct {
  ReconnectFixture base;
  Action action;
  unsigned int countdown; /* of notifications, until it happens */
  gboolean acted;
} Run;

static void
act (Run *self)
{
  ClientFixture *fixture = &self->base.base;

  if (self->acted || self->countdown-- > 0)
    return;
  self->acted = TRUE;
  switch (self->action)
    {
    case CLOSE:
    case CLOSE_AND_OPEN:
      vt_client_close_async (fixture->client, NULL, close_cb, &fixture->close);
      break;
    case DISPOSE:
      g_object_run_dispose (G_OBJECT (fixture->client));
      break;
    case DROP:
      g_clear_object (&fixture->client);
      break;
    case GIVE_UP:
      vt_client_set_reconnect (fixture->client, FALSE);
      break;
    case UNLISTEN:
      vt_client_unlisten_async (fixture->client, fixture->forward, NULL, unlisten_cb,
                                &fixture->unlisten);
      break;
    default:
      g_assert_not_reached ();
    }
  if (self->action == CLOSE_AND_OPEN && vt_client_get_state (fixture->client) == 0)
    {
      outcome_clear (&fixture->open);
      vt_client_open_async (fixture->client, NULL, open_cb, &fixture->open);
    }
}

static void
notify_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  act (user_data);
}

static void
closed_cb (VtClient *client, VtStream *stream, const GError *error, gpointer user_data)
{
  act (user_data);
}

static void
items_cb (GListModel *list, guint position, guint removed, guint added, gpointer user_data)
{
  act (user_data);
}

static void
watch (Run *self, gpointer *objects)
{
  VtClient *client = self->base.base.client;

  objects[0] = g_object_ref (self->base.base.forward);
  objects[1] = g_object_ref (vt_client_get_streams (client));
  objects[2] = g_object_ref (vt_client_get_forwards (client));
  g_signal_connect (client, "notify", G_CALLBACK (notify_cb), self);
  g_signal_connect (client, "stream-closed", G_CALLBACK (closed_cb), self);
  g_signal_connect (objects[0], "notify", G_CALLBACK (notify_cb), self);
  g_signal_connect (objects[1], "items-changed", G_CALLBACK (items_cb), self);
  g_signal_connect (objects[2], "items-changed", G_CALLBACK (items_cb), self);
}

static void
unwatch (Run *self, gpointer *objects)
{
  for (unsigned int i = 0; i < 3; i++)
    {
      g_signal_handlers_disconnect_by_data (objects[i], self);
      g_object_unref (objects[i]);
    }
}

static gboolean
is_in (Run *self, VtClientState state)
{
  return self->acted || vt_client_get_state (self->base.base.client) == state;
}

/* The link breaks, and the client comes for another one. FALSE if it was interrupted. */
static gboolean
come_back (Run *self, gboolean resumed)
{
  raw_settle ();
  raw_link_reset (self->base.base.link);
  RAW_WAIT (is_in (self, VT_CLIENT_STATE_RECONNECTING));
  RAW_WAIT (self->acted || vt_client_get_next_retry (self->base.base.client) == 0);
  if (self->acted)
    return FALSE;
  g_free (reconnect_accept_hello (&self->base));
  reconnect_welcome (&self->base, resumed, self->base.received, 60);
  RAW_WAIT (is_in (self, VT_CLIENT_STATE_OPEN));
  raw_settle ();
  return !self->acted;
}

static void
live (Run *self)
{
  if (!come_back (self, TRUE) || !come_back (self, FALSE))
    return;
  raw_link_send_close (self->base.base.link, 1008, "");
  raw_link_expect_text (self->base.base.link, "{\"type\":\"listen\",\"id\":1,\"port\":9000}");
  raw_link_read_close (self->base.base.link);
  reconnect_drop_link (&self->base);
  RAW_WAIT (is_in (self, VT_CLIENT_STATE_CLOSED));
}

/* FALSE if there are not so many notifications. */
static gboolean
run (Action action, unsigned int countdown)
{
  Run self = { .action = action, .countdown = countdown };
  gpointer objects[3];

  reconnect_set_up (&self.base, NULL);
  reconnect_begin_v2 (&self.base, 60);
  reconnect_open_stream (&self.base, 1, 1);
  reconnect_send_data (&self.base, 1, "one");
  reconnect_expect_data (&self.base, 1, "one");
  watch (&self, objects);
  live (&self);
  if (self.base.base.link != NULL)
    reconnect_drop_link (&self.base);
  raw_settle ();
  if (self.base.base.client != NULL)
    g_signal_handlers_disconnect_by_data (self.base.base.client, &self);
  unwatch (&self, objects);
  /* Opening would keep it alive. */
  if (self.base.base.client != NULL)
    vt_client_close_async (self.base.base.client, NULL, NULL, NULL);
  reconnect_tear_down (&self.base, NULL);
  return self.acted;
}

static void
test_interrupted (gconstpointer data)
{
  unsigned int n = 0;

  while (run (GPOINTER_TO_UINT (data), n))
    n++;
  g_test_message ("%u notifications", n);
  g_assert_cmpuint (n, >, 15);
}

int
main (int argc, char *argv[])
{
  static const char *const paths[] = {
    "/client/handlers/close",   "/client/handlers/dispose",  "/client/handlers/drop",
    "/client/handlers/give-up", "/client/handlers/unlisten", "/client/handlers/open",
  };

  g_test_init (&argc, &argv, NULL);
  for (unsigned int i = 0; i < G_N_ELEMENTS (paths); i++)
    g_test_add_data_func (paths[i], GUINT_TO_POINTER (i), test_interrupted);
  return g_test_run ();
}

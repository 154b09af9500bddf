/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"

#define LINK_LOW (128 * 1024)

typedef struct {
  GBytes *bytes; /* owned */
  gboolean text;
} Message;

static void
message_free (void *data)
{
  Message *self = data;

  g_bytes_unref (self->bytes);
  g_free (self);
}

static void
write_down (Side *self, gboolean text, GBytes *message)
{
  wire_describe (self->sent, text, message);
  g_string_append_c (self->sent, '\n');
}

void
side_put (GBytes *message, gboolean text, void *user_data)
{
  Side *self = user_data;
  Message *put = NULL;

  if (self->peer == NULL || self->logs)
    write_down (self, text, message);
  if (self->peer == NULL || self->cut || self->broken)
    return;
  put = g_new (Message, 1);
  *put = (Message){ g_bytes_ref (message), text };
  g_queue_push_tail (&self->peer->inbox, put);
  self->queued += g_bytes_get_size (message);
  self->was_high |= self->queued >= LINK_LOW;
}

void
side_clear_inbox (Side *self)
{
  g_queue_clear_full (&self->inbox, message_free);
}

void
pair_join (Side *a, Side *b)
{
  a->peer = b;
  b->peer = a;
}

static void
acknowledge (Side *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  vt_replay_acknowledge (self->replay, received, &error);
  g_assert_no_error (error);
  if (self->mux != NULL)
    vt_mux_note_writable (self->mux);
}

static void
take (Side *self, const Message *message)
{
  size_t length;
  const uint8_t *data = g_bytes_get_data (message->bytes, &length);
  guint64 received;

  if (!message->text && vt_codec_binary_read_ack (data, length, &received))
    {
      acknowledge (self, received);
      return;
    }
  if (self->mux == NULL)
    return;
  if (self->protocol == 2)
    wire_book_note_came (&self->book, message->text, message->bytes);
  if (vt_mux_receive (self->mux, message->text, message->bytes) && self->replay != NULL)
    vt_replay_note_received (self->replay, length);
}

/* A message of its is not on its way any more. */
static void
note_gone (Side *self, const Message *message)
{
  if (!self->cut)
    self->queued -= g_bytes_get_size (message->bytes);
}

static void
note_writable (Side *self)
{
  if (self->replay != NULL)
    vt_replay_continue (self->replay);
  if (self->mux != NULL)
    vt_mux_note_writable (self->mux);
}

unsigned int
side_deliver (Side *self, unsigned int n)
{
  unsigned int delivered = 0;

  while (delivered < n && self->reading && self->inbox.length > 0)
    {
      Message *message = g_queue_pop_head (&self->inbox);
      Side *peer = self->peer;

      delivered++;
      note_gone (peer, message);
      take (self, message);
      message_free (message);
      if (peer->was_high && peer->queued < LINK_LOW)
        {
          peer->was_high = FALSE;
          note_writable (peer);
        }
    }
  return delivered;
}

void
pair_settle (Side *a, Side *b)
{
  unsigned int n_still = 0;

  while (n_still < 3)
    {
      vt_clock_advance (a->clock, 1);
      if (side_deliver (a, G_MAXUINT) + side_deliver (b, G_MAXUINT) > 0)
        n_still = 0;
      else
        n_still++;
    }
}

void
pair_new_with_buffer (Side **client, Side **server, size_t max_buffer)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = max_buffer;
  *client = side_new (VT_MUX_CLIENT, clock, &config);
  config.role = VT_MUX_SERVER;
  *server = side_new (VT_MUX_SERVER, clock, &config);
  pair_join (*client, *server);
  vt_mux_listen ((*client)->mux, 1, &(VtMuxListen){ .port = 8080 });
  pair_settle (*client, *server);
  vt_mux_listen_accept ((*server)->mux, 1, "127.0.0.1", 8080);
  pair_settle (*client, *server);
  side_expect_heard (*server, "listen_requested 1 8080");
  side_expect_heard (*client, "listen_ok 1 8080 confirmed");
}

void
pair_new (Side **client, Side **server)
{
  pair_new_with_buffer (client, server, 128 * 1024 * 1024);
}

void
pair_free (Side *client, Side *server)
{
  side_free (client);
  side_free (server);
}

void
side_greet (Side *self, const VtControlLimits *limits)
{
  self->book.peer = limits != NULL ? *limits : self->book.ours;
  vt_mux_set_peer_limits (self->mux, &self->book.peer);
}

static gboolean
has_room_cb (void *user_data)
{
  Side *self = user_data;

  return !self->cut && self->queued < LINK_LOW;
}

void
side_keep (Side *self)
{
  const VtReplayHandlers handlers = { .send = side_put, .has_room = has_room_cb };

  self->replay = vt_replay_new (self->clock, &handlers, self);
  g_assert_true (vt_replay_attach (self->replay, 0, NULL));
}

Side *
side_new_v2 (VtMuxRole role, const VtMuxConfig *config)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig used;
  Side *self;

  vt_mux_config_init (&used, role);
  used = config != NULL ? *config : used;
  used.role = role;
  used.protocol = 2;
  self = side_new (role, clock, &used);
  self->lazy = TRUE;
  side_greet (self, NULL);
  if (role == VT_MUX_CLIENT)
    vt_mux_listen (self->mux, 1, &(VtMuxListen){ .port = 8080 });
  side_say (self, "{\"type\":\"listen%s\",\"id\":1,\"port\":8080}",
            role == VT_MUX_CLIENT ? "_ok" : "");
  if (role == VT_MUX_SERVER)
    vt_mux_listen_accept (self->mux, 1, NULL, 8080);
  g_string_truncate (self->heard, 0);
  g_string_truncate (self->sent, 0);
  return self;
}

void
pair_new_v2 (Side **client, Side **server, const VtMuxConfig *config)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig used;

  vt_mux_config_init (&used, VT_MUX_CLIENT);
  used = config != NULL ? *config : used;
  used.protocol = 2;
  used.role = VT_MUX_CLIENT;
  *client = side_new (VT_MUX_CLIENT, clock, &used);
  used.role = VT_MUX_SERVER;
  *server = side_new (VT_MUX_SERVER, clock, &used);
  pair_join (*client, *server);
  side_keep (*client);
  side_keep (*server);
  side_greet (*client, NULL);
  side_greet (*server, NULL);
  vt_mux_listen ((*client)->mux, 1, &(VtMuxListen){ .port = 8080 });
  side_deliver (*server, G_MAXUINT);
  vt_mux_listen_accept ((*server)->mux, 1, "127.0.0.1", 8080);
  pair_settle (*client, *server);
  side_expect_heard (*server, "listen_requested 1 8080\nrtt 1");
  side_expect_heard (*client, "rtt 1\nlisten_ok 1 8080 confirmed at 127.0.0.1");
}

static void
lose_some (Side *self, unsigned int n)
{
  while (self->inbox.length > n)
    {
      Message *message = g_queue_pop_tail (&self->inbox);

      note_gone (self->peer, message);
      message_free (message);
    }
}

void
pair_break (Side *a, Side *b, unsigned int n_a, unsigned int n_b)
{
  a->broken = b->broken = TRUE;
  lose_some (a, n_a);
  lose_some (b, n_b);
}

void
side_leave_link (Side *self)
{
  if (self->cut)
    return;

  lose_some (self, 0);
  self->cut = TRUE;
  self->queued = 0;
  self->was_high = FALSE;
  vt_replay_detach (self->replay);
  if (self->mux != NULL)
    vt_mux_suspend (self->mux);
}

void
pair_cut (Side *a, Side *b)
{
  pair_break (a, b, 0, 0);
  side_leave_link (a);
  side_leave_link (b);
}

static void
meet (Side *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  vt_replay_attach (self->replay, received, &error);
  g_assert_no_error (error);
  if (self->mux != NULL)
    vt_mux_resume (self->mux);
}

/* What each has is settled before either sends. */
void
pair_mend (Side *a, Side *b)
{
  guint64 received = vt_replay_get_received (a->replay);

  side_leave_link (a);
  side_leave_link (b);
  a->broken = b->broken = a->cut = b->cut = FALSE;
  meet (a, vt_replay_get_received (b->replay));
  meet (b, received);
}

/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <string.h>

#include "vt-codec-binary-private.h"
#include "vt-replay-private.h"

/* A replay over a link in memory that writes down what it is given. */
typedef struct {
  VtClock *clock;   /* owned */
  VtReplay *replay; /* owned */
  GPtrArray *sent;  /* owned, of GBytes */
  GString *log;     /* owned: the same as words, "text:…" for text, "ack:…" for what it says */

  unsigned int room;         /* so many messages the link has room for */
  unsigned int send_before;  /* the handler hands in more before it takes that message; 0: never */
  unsigned int detach_after; /* the link breaks behind it; 0: never */
  gboolean comes_back;       /* there is another one at once, and the other side has nothing */
} End;

static inline gboolean
read_ack (GBytes *message, guint64 *received)
{
  size_t length;
  const uint8_t *data = g_bytes_get_data (message, &length);

  if (length != VT_BINARY_ACK_SIZE || data[0] != VT_BINARY_ACK)
    return FALSE;
  memcpy (received, data + VT_BINARY_HEADER, sizeof *received);
  *received = GUINT64_FROM_BE (*received);
  return TRUE;
}

static inline GBytes *
say (const char *words)
{
  return g_bytes_new (words, strlen (words));
}

static void
send_cb (GBytes *message, gboolean text, void *user_data)
{
  End *self = user_data;
  guint64 received;

  if (self->sent->len + 1 == self->send_before)
    {
      g_autoptr(GBytes) more = say ("more");

      self->send_before = 0;
      vt_replay_send (self->replay, more, FALSE);
    }
  g_ptr_array_add (self->sent, g_bytes_ref (message));
  self->room -= self->room > 0;
  if (self->log->len > 0)
    g_string_append_c (self->log, ' ');
  if (!text && read_ack (message, &received))
    g_string_append_printf (self->log, "ack:%" G_GUINT64_FORMAT, received);
  else
    g_string_append_printf (self->log, "%s%.*s", text ? "text:" : "",
                            (int) g_bytes_get_size (message),
                            (const char *) g_bytes_get_data (message, NULL));
  if (self->sent->len != self->detach_after)
    return;
  vt_replay_detach (self->replay);
  if (self->comes_back)
    g_assert_true (vt_replay_attach (self->replay, 0, NULL));
}

static gboolean
has_room_cb (void *user_data)
{
  return ((End *) user_data)->room > 0;
}

static inline End *
end_new (void)
{
  const VtReplayHandlers handlers = { .send = send_cb, .has_room = has_room_cb };
  End *self = g_new0 (End, 1);

  self->room = G_MAXUINT;
  self->clock = vt_clock_new_fake ();
  self->sent = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->log = g_string_new (NULL);
  self->replay = vt_replay_new (self->clock, &handlers, self);
  return self;
}

static inline void
end_free (End *self)
{
  g_clear_pointer (&self->replay, vt_replay_free);
  g_ptr_array_unref (self->sent);
  g_string_free (self->log, TRUE);
  vt_clock_unref (self->clock);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (End, end_free)

static inline void
hand_in (End *self, const char *words, gboolean text)
{
  g_autoptr(GBytes) message = say (words);

  vt_replay_send (self->replay, message, text);
}

static inline void
hand_in_bytes (End *self, size_t length)
{
  g_autoptr(GBytes) message = g_bytes_new_take (g_malloc0 (length), length);

  vt_replay_send (self->replay, message, FALSE);
}

static inline void
attach (End *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  vt_replay_attach (self->replay, received, &error);
  g_assert_no_error (error);
}

static inline void
acknowledge (End *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  vt_replay_acknowledge (self->replay, received, &error);
  g_assert_no_error (error);
}

static inline void
expect_sent (End *self, const char *words)
{
  g_assert_cmpstr (self->log->str, ==, words);
  g_string_truncate (self->log, 0);
}

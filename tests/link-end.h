/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-link-private.h"

#include <vtunnel/vt-error.h>

#include "ws-pair.h"

#define MAX_MESSAGE (256 * 1024)

/* One end: a link, and what it told. */
typedef struct {
  VtLink *link;
  SoupWebsocketConnection *connection;
  VtGate *gate;

  GString *messages;
  unsigned int n_messages;
  unsigned int n_alive;
  unsigned int n_writable;
  unsigned int n_closed;
  unsigned int code;
  char *reason;
  GError *error;

  /* A call of the link is under way: no event may come. */
  gboolean calling;
  /* So many messages of 10 KB are sent when one comes. */
  unsigned int echo;
  /* Frees the link within this event. */
  const char *free_in;
} End;

static inline void
told (End *self, const char *what)
{
  g_assert_false (self->calling);
  g_assert_nonnull (self->link);
  g_assert_cmpuint (self->n_closed, ==, g_str_equal (what, "closed") ? 1 : 0);
  if (g_strcmp0 (self->free_in, what) == 0)
    g_clear_pointer (&self->link, vt_link_free);
}

static inline void
send_size (End *self, char letter, size_t size, gboolean text)
{
  g_autofree char *data = g_strnfill (size, letter);
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);

  self->calling = TRUE;
  vt_link_send (self->link, bytes, text);
  self->calling = FALSE;
}

static void
message_cb (gboolean text, GBytes *message, void *user_data)
{
  End *self = user_data;
  size_t size = 0;
  const char *data = g_bytes_get_data (message, &size);

  self->n_messages++;
  g_string_append_printf (self->messages, "%s%zu%c ", text ? "t" : "b", size,
                          size > 0 ? *data : '-');
  for (unsigned int i = 0; i < self->echo; i++)
    send_size (self, 'e', 10000, TRUE);
  told (self, "message");
}

static void
alive_cb (void *user_data)
{
  End *self = user_data;

  self->n_alive++;
  told (self, "alive");
}

static void
writable_cb (void *user_data)
{
  End *self = user_data;

  self->n_writable++;
  told (self, "writable");
}

static void
closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  End *self = user_data;

  self->n_closed++;
  self->code = code;
  self->reason = g_strdup (reason);
  self->error = error != NULL ? g_error_copy (error) : NULL;
  told (self, "closed");
}

static const VtLinkHandlers handlers = {
  .message = message_cb,
  .alive = alive_cb,
  .writable = writable_cb,
  .closed = closed_cb,
};

static inline void
end_init_extended (End *self, GIOStream *base, gboolean server, gboolean gated, GList *extensions)
{
  *self = (End){ .messages = g_string_new (NULL) };
  self->gate = gated ? vt_gate_new (base) : NULL;
  self->connection
      = ws_new_extended (gated ? G_IO_STREAM (self->gate) : base, server, extensions);
  self->link = vt_link_new (self->connection, self->gate, MAX_MESSAGE, &handlers, self);
}

static inline void
end_init (End *self, GIOStream *base, gboolean server, gboolean gated)
{
  end_init_extended (self, base, server, gated, NULL);
}

static inline void
end_clear (End *self)
{
  GObject *connection = G_OBJECT (self->connection);

  g_object_add_weak_pointer (connection, (void **) &connection);
  g_clear_pointer (&self->link, vt_link_free);
  g_clear_object (&self->connection);
  g_clear_object (&self->gate);
  ws_wait (connection == NULL);
  g_string_free (self->messages, TRUE);
  g_clear_error (&self->error);
  g_free (self->reason);
}

static inline void
close_link (End *self, unsigned int code, const char *reason)
{
  self->calling = TRUE;
  vt_link_close (self->link, code, reason);
  self->calling = FALSE;
}

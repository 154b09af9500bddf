/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-monitor-lines.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-format.h"

/* A tunnel as it was told of. */
typedef struct {
  char *title;          /* owned */
  char *state;          /* owned, with what there is to say about it */
  GHashTable *forwards; /* owned, a set of owned texts */
  unsigned int n_streams;
  unsigned int update; /* the last one that it was there in */
} Seen;

struct _VtToolLines {
  const VtToolLook *look; /* not owned */
  GHashTable *seen;       /* owned, of object paths to owned Seen */
  char *note;             /* owned, the last one */
  unsigned int update;    /* counts */

  GString *lines; /* owned, during an update */
  gint64 now;
};

static GHashTable *
new_set (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

static Seen *
seen_new (void)
{
  Seen *self = g_new0 (Seen, 1);

  self->title = g_strdup ("");
  self->state = g_strdup ("");
  self->forwards = new_set ();
  return self;
}

static void
seen_free (void *data)
{
  Seen *self = data;

  g_free (self->title);
  g_free (self->state);
  g_hash_table_unref (self->forwards);
  g_free (self);
}

VtToolLines *
vt_tool_lines_new (const VtToolLook *look)
{
  VtToolLines *self = g_new0 (VtToolLines, 1);

  self->look = look;
  self->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, seen_free);
  return self;
}

void
vt_tool_lines_free (VtToolLines *self)
{
  g_hash_table_unref (self->seen);
  g_free (self->note);
  g_free (self);
}

/* `title` NULL: of no tunnel. */
static void
add_line (VtToolLines *self, const char *title, const char *text)
{
  g_autofree char *time = vt_tool_format_local_time (self->now);
  g_autofree char *line = NULL;
  VtToolCells cells;

  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_put (&cells, VT_TOOL_STYLE_DIM, time);
  vt_tool_cells_space (&cells, 1);
  if (title != NULL)
    {
      vt_tool_cells_put (&cells, VT_TOOL_STYLE_BOLD, title);
      vt_tool_cells_put (&cells, VT_TOOL_STYLE_PLAIN, ": ");
    }
  vt_tool_cells_put (&cells, VT_TOOL_STYLE_PLAIN, text);
  line = vt_tool_cells_end (&cells);
  g_string_append_printf (self->lines, "%s\n", line);
}

static char *
describe_state (const VtToolTunnel *tunnel)
{
  const char *word = vt_tool_format_state (tunnel->state);

  if (tunnel->error_message[0] != '\0' && strcmp (tunnel->state, "connected") != 0)
    return g_strdup_printf ("%s: %s", word, tunnel->error_message);
  if (strcmp (tunnel->state, "connected") == 0 || strcmp (tunnel->state, "connecting") == 0)
    return g_strdup_printf ("%s: %s", word, tunnel->uri);
  return g_strdup (word);
}

static char *
describe_forward (const VtToolForward *forward)
{
  g_autofree char *source = vt_tool_forward_get_source (forward);
  const char *word = vt_tool_format_state (forward->state);

  if (forward->error[0] != '\0')
    return g_strdup_printf ("%s → %s: %s: %s", source, forward->target, word, forward->error);
  return g_strdup_printf ("%s → %s: %s", source, forward->target, word);
}

static void
tell_state (VtToolLines *self, Seen *seen, const VtToolTunnel *tunnel)
{
  g_autofree char *state = describe_state (tunnel);

  if (strcmp (seen->state, state) == 0)
    return;
  add_line (self, seen->title, state);
  g_free (seen->state);
  seen->state = g_steal_pointer (&state);
}

static void
tell_forwards (VtToolLines *self, Seen *seen, const VtToolTunnel *tunnel)
{
  g_autoptr(GHashTable) before = g_steal_pointer (&seen->forwards);

  seen->forwards = new_set ();
  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    {
      const VtToolForward *forward = tunnel->forwards->pdata[i];
      char *text = forward->state[0] != '\0' ? describe_forward (forward) : NULL;

      if (text == NULL)
        continue;
      if (!g_hash_table_contains (before, text))
        add_line (self, seen->title, text);
      g_hash_table_add (seen->forwards, text);
    }
}

static void
tell_streams (VtToolLines *self, Seen *seen, const VtToolTunnel *tunnel)
{
  unsigned int n = tunnel->active_streams;
  g_autofree char *text = NULL;

  if (n == seen->n_streams)
    return;
  seen->n_streams = n;
  text = g_strdup_printf (ngettext ("%u stream", "%u streams", n), n);
  add_line (self, seen->title, text);
}

static void
tell_tunnel (VtToolLines *self, const VtToolTunnel *tunnel)
{
  Seen *seen = g_hash_table_lookup (self->seen, tunnel->path);

  if (seen == NULL)
    {
      seen = seen_new ();
      g_hash_table_insert (self->seen, g_strdup (tunnel->path), seen);
    }
  seen->update = self->update;
  g_free (seen->title);
  seen->title = g_strdup (vt_tool_tunnel_get_title (tunnel));
  tell_state (self, seen, tunnel);
  tell_forwards (self, seen, tunnel);
  tell_streams (self, seen, tunnel);
}

static void
tell_removed (VtToolLines *self)
{
  GHashTableIter iter;
  void *value = NULL;

  g_hash_table_iter_init (&iter, self->seen);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Seen *seen = value;

      if (seen->update == self->update)
        continue;
      add_line (self, seen->title, _ ("removed"));
      g_hash_table_iter_remove (&iter);
    }
}

char *
vt_tool_lines_update (VtToolLines *self, const GPtrArray *tunnels, const char *note, gint64 now)
{
  self->lines = g_string_new (NULL);
  self->now = now;
  self->update++;
  if (note != NULL && g_strcmp0 (note, self->note) != 0)
    add_line (self, NULL, note);
  g_free (self->note);
  self->note = g_strdup (note);
  /* Without the service nobody knows of any tunnel: none was removed. */
  if (note != NULL)
    g_hash_table_remove_all (self->seen);
  for (unsigned int i = 0; note == NULL && i < tunnels->len; i++)
    tell_tunnel (self, tunnels->pdata[i]);
  tell_removed (self);
  return g_string_free (g_steal_pointer (&self->lines), FALSE);
}

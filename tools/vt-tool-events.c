/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-events.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _VtToolEvents {
  gboolean enabled;
  VtToolBrokenFunc broken; /* NULL once it was called */
  void *user_data;         /* not owned, for broken */
  GSource *watch;          /* owned; NULL: standard output is nothing that a reader leaves */
};

/* Everything waits for a reader that is slow, but not the signals that end it: write () would go on
 * after one, and poll () does not. */
static gboolean
write_all (int fd, const char *text, size_t length)
{
  struct pollfd poller = { .fd = fd, .events = POLLOUT };

  while (length > 0)
    {
      ssize_t n;

      if (poll (&poller, 1, -1) < 0)
        return FALSE;
      n = write (fd, text, length);
      if (n >= 0)
        {
          text += n;
          length -= n;
        }
      else if (errno != EAGAIN && errno != EINTR)
        return FALSE;
    }
  return TRUE;
}

static void
break_off (VtToolEvents *self, int error_number)
{
  VtToolBrokenFunc broken = g_steal_pointer (&self->broken);

  self->enabled = FALSE;
  if (broken != NULL)
    broken (error_number, self->user_data);
}

static gboolean
reader_left_cb (int fd, GIOCondition condition, void *user_data)
{
  break_off (user_data, EPIPE);
  return G_SOURCE_REMOVE;
}

/* A quiet server has nothing to write for hours: without this it would not see that the reader of
 * its pipe is gone. */
static GSource *
watch_reader (VtToolEvents *self)
{
  struct stat status;
  GSource *source = NULL;

  if (fstat (STDOUT_FILENO, &status) != 0
      || (!S_ISFIFO (status.st_mode) && !S_ISSOCK (status.st_mode)))
    return NULL;
  source = g_unix_fd_source_new (STDOUT_FILENO, G_IO_ERR);
  g_source_set_static_name (source, "vtunnel-tool: standard output");
  g_source_set_callback (source, G_SOURCE_FUNC (reader_left_cb), self, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

/* The words of the table of codes in docs/protocol.md. Only one of them is not the enum's nick. */
static const char *
get_code (const GError *error)
{
  g_autoptr(GEnumClass) codes = NULL;
  const GEnumValue *value = NULL;

  if (error->domain == G_OPTION_ERROR
      || g_error_matches (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT))
    return "invalid";
  if (error->domain != VT_ERROR)
    return "failed";
  codes = g_type_class_ref (VT_TYPE_ERROR);
  value = g_enum_get_value (codes, error->code);
  return value != NULL ? value->value_nick : "failed";
}

VtToolEvents *
vt_tool_events_new (gboolean enabled, VtToolBrokenFunc broken, void *user_data)
{
  VtToolEvents *self = g_new0 (VtToolEvents, 1);

  self->enabled = enabled;
  self->broken = broken;
  self->user_data = user_data;
  if (enabled)
    self->watch = watch_reader (self);
  return self;
}

void
vt_tool_events_free (VtToolEvents *self)
{
  if (self->watch != NULL)
    g_source_destroy (self->watch);
  g_clear_pointer (&self->watch, g_source_unref);
  g_free (self);
}

JsonBuilder *
vt_tool_event_begin (const char *name)
{
  JsonBuilder *event = json_builder_new ();

  json_builder_begin_object (event);
  vt_tool_event_add_text (event, "event", name);
  return event;
}

void
vt_tool_event_add_text (JsonBuilder *event, const char *name, const char *value)
{
  g_autofree char *valid = NULL;

  if (value == NULL)
    return;
  valid = g_utf8_make_valid (value, -1);
  json_builder_set_member_name (event, name);
  json_builder_add_string_value (event, valid);
}

void
vt_tool_event_add_number (JsonBuilder *event, const char *name, guint64 value)
{
  json_builder_set_member_name (event, name);
  json_builder_add_int_value (event, value);
}

void
vt_tool_event_add_address (JsonBuilder *event,
                           const char *address_name,
                           const char *port_name,
                           GSocketAddress *address)
{
  g_autofree char *text = NULL;
  GInetSocketAddress *inet = NULL;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return;
  inet = G_INET_SOCKET_ADDRESS (address);
  text = g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  vt_tool_event_add_text (event, address_name, text);
  vt_tool_event_add_number (event, port_name, g_inet_socket_address_get_port (inet));
}

void
vt_tool_event_add_error (JsonBuilder *event, const GError *error)
{
  if (error == NULL)
    return;
  json_builder_set_member_name (event, "error");
  json_builder_begin_object (event);
  vt_tool_event_add_reason (event, error);
  json_builder_end_object (event);
}

void
vt_tool_event_add_reason (JsonBuilder *event, const GError *error)
{
  vt_tool_event_add_text (event, "code", get_code (error));
  vt_tool_event_add_text (event, "message", error->message);
}

void
vt_tool_events_send (VtToolEvents *self, JsonBuilder *event)
{
  g_autoptr(JsonBuilder) owned = event;
  g_autoptr(JsonNode) root = NULL;
  g_autofree char *json = NULL;
  g_autofree char *line = NULL;

  if (!self->enabled)
    return;
  json_builder_end_object (event);
  root = json_builder_get_root (event);
  json = json_to_string (root, FALSE);
  line = g_strconcat (json, "\n", NULL);
  if (!write_all (STDOUT_FILENO, line, strlen (line)))
    break_off (self, errno);
}

/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-control-private.h"

#include <stdint.h>
#include <string.h>

#include "vt-codec-binary-private.h"
#include "vt-codec-control-fields-private.h"
#include "vt-error-private.h"
#include "vt-json-text-private.h"
#include "vt-text-private.h"

static gboolean
read_integer (const VtControlField *field, JsonNode *node, void *member, GError **error)
{
  gint64 value;

  if (!vt_json_text_read_integer (node, field->min, field->max, &value, error))
    return FALSE;

  if (field->size == sizeof (guint16))
    *(guint16 *) member = (guint16) value;
  else if (field->size == sizeof (guint32))
    *(guint32 *) member = (guint32) value;
  else
    *(gint64 *) member = value;
  return TRUE;
}

static gboolean
read_text (const VtControlField *field, JsonNode *node, char **member, GError **error)
{
  const char *text;

  if (!vt_json_text_read_string (node, &text, error))
    return FALSE;
  if (strlen (text) > (size_t) field->max)
    return vt_json_text_refuse (error, "A text is too long");

  *member = *text == '\0' ? NULL : g_strdup (text);
  return TRUE;
}

static gboolean
read_flag (JsonNode *node, gboolean *member, GError **error)
{
  if (json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return vt_json_text_refuse (error, "A value is of a wrong type");

  *member = json_node_get_boolean (node);
  return TRUE;
}

static gboolean
read_kind (JsonNode *node, VtControlKind *member, GError **error)
{
  const char *word;

  if (!vt_json_text_read_string (node, &word, error))
    return FALSE;

  *member = vt_control_kind_from_name (word);
  return TRUE;
}

/* A later version may have more codes: they are what nothing else says better. */
static gboolean
read_code (JsonNode *node, int *member, GError **error)
{
  const char *word;

  if (!vt_json_text_read_string (node, &word, error))
    return FALSE;

  if (!vt_error_code_from_word (word, member))
    *member = VT_ERROR_FAILED;
  return TRUE;
}

static gboolean
read_names (const VtControlField *field, JsonNode *node, char ***member, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  g_auto(GStrv) names = NULL;
  unsigned int n_names;

  if (array == NULL)
    return vt_json_text_refuse (error, "A value is of a wrong type");
  n_names = json_array_get_length (array);
  if (n_names > VT_CONTROL_MAX_NAMES)
    return vt_json_text_refuse (error, "There are too many names");

  names = g_new0 (char *, n_names + 1);
  for (unsigned int i = 0; i < n_names; i++)
    {
      if (!read_text (field, json_array_get_element (array, i), &names[i], error))
        return FALSE;
      if (names[i] == NULL)
        return vt_json_text_refuse (error, "A name is empty");
    }
  if (n_names > 0)
    *member = g_steal_pointer (&names);
  return TRUE;
}

static gboolean
read_value (const VtControlField *field, JsonNode *node, void *member, GError **error)
{
  switch (field->form)
    {
    case VT_FORM_INTEGER:
      return read_integer (field, node, member, error);
    case VT_FORM_TEXT:
      return read_text (field, node, member, error);
    case VT_FORM_FLAG:
      return read_flag (node, member, error);
    case VT_FORM_KIND:
      return read_kind (node, member, error);
    case VT_FORM_CODE:
      return read_code (node, member, error);
    case VT_FORM_NAMES:
    default:
      return read_names (field, node, member, error);
    }
}

/* `*seen` becomes TRUE if there is something. An empty text is as good as none. */
static gboolean
read_member (const VtControlField *field,
             JsonNode *node,
             VtControl *control,
             gboolean *seen,
             GError **error)
{
  void *member = G_STRUCT_MEMBER_P (control, field->offset);

  *seen = FALSE;
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (!read_value (field, node, member, error))
    {
      g_prefix_error (error, "%s: ", field->name);
      return FALSE;
    }

  *seen = field->form != VT_FORM_TEXT || *(char **) member != NULL;
  return TRUE;
}

static gboolean
read_members (JsonObject *object, VtControl *control, guint32 *seen, GError **error)
{
  guint32 possible = vt_control_get_possible (control->type);

  for (unsigned int i = 0; i < VT_CONTROL_N_FIELDS; i++)
    {
      const VtControlField *field = &vt_control_fields[i];
      gboolean is_seen;

      if ((possible & 1U << i) == 0)
        continue;
      if (!read_member (field, json_object_get_member (object, field->name), control, &is_seen,
                        error))
        return FALSE;
      *seen |= is_seen ? 1U << i : 0;
    }
  return TRUE;
}

static gboolean
check_required (const VtControl *control, guint32 seen, GError **error)
{
  guint32 missing = vt_control_get_required (control) & ~seen;

  for (unsigned int i = 0; i < VT_CONTROL_N_FIELDS; i++)
    if ((missing & 1U << i) != 0)
      {
        vt_json_text_refuse (error, "It is missing");
        g_prefix_error (error, "%s: ", vt_control_fields[i].name);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_limits (const VtControl *control, GError **error)
{
  const VtControlLimits *limits = &control->limits;

  if (control->type != VT_CONTROL_HELLO && control->type != VT_CONTROL_WELCOME)
    return TRUE;
  return limits->max_frame <= limits->max_message - VT_BINARY_HEADER
         || vt_json_text_refuse (error, "max_frame: It does not fit into max_message");
}

/* What belongs to a session that is resumed means nothing without one. */
static void
forget_idle_members (VtControl *control)
{
  if (control->type == VT_CONTROL_HELLO && control->session == NULL)
    {
      g_clear_pointer (&control->secret, g_free);
      control->received = control->attempt = 0;
    }
  if (control->type == VT_CONTROL_WELCOME && !control->resumed)
    control->received = 0;
}

static gboolean
read_object (JsonObject *object, VtControl *control, GError **error)
{
  JsonNode *node = json_object_get_member (object, "type");
  const char *name;
  guint32 seen = 0;

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return vt_json_text_refuse (error, "It has no type");
  if (!vt_json_text_read_string (node, &name, error))
    return FALSE;

  control->type = vt_control_type_from_name (name);
  if (!read_members (object, control, &seen, error) || !check_required (control, seen, error)
      || !check_limits (control, error))
    return FALSE;

  forget_idle_members (control);
  return TRUE;
}

gboolean
vt_codec_control_decode (GBytes *message,
                         unsigned int max_depth,
                         VtControl *control,
                         GError **error)
{
  size_t length;
  const char *text = g_bytes_get_data (message, &length);
  g_autoptr(JsonNode) root =
      vt_json_text_parse (text == NULL ? "" : text, length, max_depth, error);

  *control = (VtControl){ 0 };
  if (root != NULL && read_object (json_node_get_object (root), control, error))
    return TRUE;

  vt_control_clear (control);
  return FALSE;
}

void
vt_control_clear (VtControl *self)
{
  g_free (self->agent);
  g_free (self->session);
  g_free (self->secret);
  g_free (self->address);
  g_strfreev (self->names);
  g_free (self->url);
  g_free (self->error);
  g_free (self->reason);
  *self = (VtControl){ 0 };
}

static void
append_integer (GString *text, const VtControlField *field, const void *member)
{
  gint64 value;

  if (field->size == sizeof (guint16))
    value = *(const guint16 *) member;
  else if (field->size == sizeof (guint32))
    value = *(const guint32 *) member;
  else
    value = *(const gint64 *) member;
  g_string_append_printf (text, "%" G_GINT64_FORMAT, value);
}

static void
append_text (GString *text, const VtControlField *field, const char *member)
{
  g_autofree char *fit = vt_text_fit (member, (size_t) field->max);

  vt_json_text_append_string (text, fit);
}

static void
append_names (GString *text, const VtControlField *field, char *const *names)
{
  for (unsigned int i = 0; i < VT_CONTROL_MAX_NAMES && names[i] != NULL; i++)
    {
      g_string_append_c (text, i == 0 ? '[' : ',');
      append_text (text, field, names[i]);
    }
  g_string_append_c (text, ']');
}

static void
append_value (GString *text, const VtControlField *field, const void *member)
{
  switch (field->form)
    {
    case VT_FORM_INTEGER:
      append_integer (text, field, member);
      break;
    case VT_FORM_TEXT:
      append_text (text, field, *(char *const *) member);
      break;
    case VT_FORM_FLAG:
      g_string_append (text, *(const gboolean *) member ? "true" : "false");
      break;
    case VT_FORM_KIND:
      vt_json_text_append_string (text, vt_control_kind_to_name (*(const VtControlKind *) member));
      break;
    case VT_FORM_CODE:
      vt_json_text_append_string (text, vt_error_code_to_word (*(const int *) member));
      break;
    case VT_FORM_NAMES:
    default:
      append_names (text, field, *(char *const *const *) member);
      break;
    }
}

static gboolean
is_nothing (const VtControlField *field, const void *member)
{
  static const uint8_t zeros[sizeof (guint64)];

  if (memcmp (member, zeros, field->size) == 0)
    return TRUE;
  if (field->form == VT_FORM_NAMES)
    return **(char *const *const *) member == NULL;
  return field->form == VT_FORM_TEXT && **(char *const *) member == '\0';
}

GBytes *
vt_codec_control_encode (const VtControl *control)
{
  GString *text = g_string_new ("{\"type\":");
  guint32 possible = vt_control_get_possible (control->type);
  guint32 required = vt_control_get_required (control);

  g_assert (control->type != VT_CONTROL_UNKNOWN);
  vt_json_text_append_string (text, vt_control_type_to_name (control->type));
  for (unsigned int i = 0; i < VT_CONTROL_N_FIELDS; i++)
    {
      const VtControlField *field = &vt_control_fields[i];
      const void *member = G_STRUCT_MEMBER_P (control, field->offset);

      if ((possible & 1U << i) == 0 || ((required & 1U << i) == 0 && is_nothing (field, member)))
        continue;
      g_string_append_printf (text, ",\"%s\":", field->name);
      append_value (text, field, member);
    }
  g_string_append_c (text, '}');
  return g_string_free_to_bytes (text);
}

gboolean
vt_control_is_counted (VtControlType type)
{
  switch (type)
    {
    case VT_CONTROL_HELLO:
    case VT_CONTROL_WELCOME:
    case VT_CONTROL_PING:
    case VT_CONTROL_PONG:
      return FALSE;
    default:
      return TRUE;
    }
}

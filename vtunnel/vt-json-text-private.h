/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <json-glib/json-glib.h>

/* What the JSON of both protocols has in common: reading behind the guard, writing with the
 * escapes that everybody uses. Pure functions. */

/* Sets VT_ERROR_PROTOCOL and gives FALSE. Nobody but a log reads the problem, which is not
 * translated. */
gboolean vt_json_text_refuse (GError **error, const char *problem);

/* A node that holds an object, (transfer full). NULL with VT_ERROR_PROTOCOL for what is not one
 * JSON object, is nested too deeply or is refused by vt-json-guard-private.h. What is not UTF-8 is
 * mended. */
JsonNode *vt_json_text_parse (const char  *text,
                              size_t       length,
                              unsigned int max_depth,
                              GError     **error);

/* FALSE with VT_ERROR_PROTOCOL if the value is of another type or out of range. The string is the
 * node's. A number with a fraction or an exponent is no integer, even if its value is whole. */
gboolean vt_json_text_read_string (JsonNode *node, const char **string, GError **error);
gboolean vt_json_text_read_integer (JsonNode *node,
                                    gint64    min,
                                    gint64    max,
                                    gint64   *value,
                                    GError  **error);

/* In quotes. What is not UTF-8 is replaced. */
void vt_json_text_append_string (GString *text, const char *string);

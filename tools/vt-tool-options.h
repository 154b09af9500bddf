/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-tool.h"

/* What may stand beside the options. */
typedef enum {
  VT_TOOL_OPERAND_NONE,
  VT_TOOL_OPERAND_NAME, /* a tunnel's; it has to be there */
  VT_TOOL_OPERAND_MAYBE_NAME,
} VtToolOperand;

/* A sub-command's page of help; the texts are marked for translation where they stand. */
typedef struct {
  const char *name;        /* "vtunnel-tool server" */
  const char *arguments;   /* NULL, or what stands after the options */
  const char *summary;
  const char *description; /* examples and what else there is to know */
  const char *more;        /* nullable: a paragraph behind that */
  VtToolOperand operand;
} VtToolHelp;

/* The options that every sub-command has. */
typedef struct {
  gboolean help;
  gboolean json;
  gboolean quiet;
  gboolean verbose;
  char *name; /* owned, of a tunnel; NULL if there is none */

  /* Of those that can be configured by a file (vt_tool_options_parse_configured ()). */
  char *config; /* owned, nullable */
  gboolean check_config;
  const char *group;   /* static: of the file's options */
  GHashTable *taken;   /* owned, nullable: names of the options whose value is the file's */
  GHashTable *values;  /* owned, nullable: what each option has, by its name */
  GPtrArray *faults;   /* owned, nullable, of GError */
  gboolean unread;     /* the file's faults are such that nothing of it is known */
} VtToolCommon;

/* What fails here is a G_OPTION_ERROR, that is wrong usage, but for files. */

/* Parses, sets the level of the log, and prints the page of help if that was asked for (then
 * `common->help` is TRUE and there is nothing more to do). */
gboolean vt_tool_options_parse (const VtToolHelp   *help,
                                const GOptionEntry *entries,
                                char              **argv,
                                VtToolCommon       *common,
                                GError            **error);

/* The same with --json, --config and --check-config: what the command line does not say is taken
 * from the group of this name in the file. It leaves the level of the log to
 * vt_tool_options_apply_log (). */
gboolean vt_tool_options_parse_configured (const VtToolHelp   *help,
                                           const GOptionEntry *entries,
                                           const char         *group,
                                           char              **argv,
                                           VtToolCommon       *common,
                                           GError            **error);
void     vt_tool_options_apply_log (const VtToolCommon *common);
void     vt_tool_options_clear_common (VtToolCommon *common);

/* Takes what is wrong with an option, and says where in the file it stands. With --check-config it
 * is kept, unless it only follows from a file that could not be read, and TRUE says to go on and
 * look for more; else it is the error. */
gboolean vt_tool_options_note_fault (VtToolCommon *common, GError *reason, GError **error);

/* A number from 0 to 65535, such as a port; NULL gives `fallback`. */
gboolean vt_tool_options_port (const char *option,
                               const char *text,
                               guint16     fallback,
                               guint16    *port,
                               GError    **error);

/* Sets an unsigned property of `object`, within the property's own range; NULL changes nothing. */
gboolean vt_tool_options_set_number (const char *option,
                                     const char *text,
                                     GObject    *object,
                                     const char *property,
                                     GError    **error);

/* The same for seconds, which may be a decimal fraction. */
gboolean vt_tool_options_set_seconds (const char *option,
                                      const char *text,
                                      GObject    *object,
                                      const char *property,
                                      GError    **error);

/* Whether a file can be read: a short line about it, instead of what a parser would say. */
gboolean vt_tool_options_check_file (const char *option, const char *path, GError **error);

/* TRUE for --check-config, and said, if that file is a service's credential and this process has
 * none: neither who prepares a start, nor what systemd 252 runs for a reload. */
gboolean vt_tool_options_is_out_of_sight (const VtToolCommon *common, const char *path);

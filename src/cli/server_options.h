#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/option_set.h"

namespace modelmill {

/// --ca: the authorities of https servers.
void add_ca_option(CLI::App& app, OptionSet& options, std::string& into);
/// --token-file.
void add_token_option(CLI::App& app, OptionSet& options, std::string& file);

/// The options of commands that ask a running server and print JSON when told to.
template <typename AskingCommand>
void add_server_options(CLI::App& app, OptionSet& options, AskingCommand& command) {
  app.add_option("--server", command.server, "The server [http://127.0.0.1:8000]")->type_name("URL");
  add_ca_option(app, options, command.ca);
  add_token_option(app, options, command.token_file);
  app.add_flag("--json", command.json, "Print JSON");
  options.add_seconds(app, "--timeout", command.timeout, "How long the server may take to answer");
}

}  // namespace modelmill

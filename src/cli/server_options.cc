#include "cli/server_options.h"

namespace modelmill {

void add_ca_option(CLI::App& app, OptionSet& options, std::string& into) {
  CLI::Option* option = app.add_option("--ca", into, "With https, the authorities to trust (PEM) [the system's]");
  option->type_name("FILE");
  options.takes_file(option);
}

void add_token_option(CLI::App& app, OptionSet& options, std::string& file) {
  options
      .takes_file(app.add_option("--token-file", file,
                                 "Send the server the first token of this file; else $MODELMILL_TOKEN, if it is set"))
      ->type_name("FILE");
}

}  // namespace modelmill

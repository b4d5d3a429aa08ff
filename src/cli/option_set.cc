#include "cli/option_set.h"

#include <CLI/Error.hpp>
#include <cstdint>

namespace modelmill {

const OptionSet::Extra& OptionSet::extra(const CLI::Option* option) const {
  static const Extra none;
  const auto found = extras_.find(option);
  return found == extras_.end() ? none : found->second;
}

void OptionSet::add_backend_options(CLI::App& app, ServerConfig& config) {
  CLI::Option* directories =
      app.add_option("--backend-directory", config.backend_directories,
                     "A folder with backends' plugins, searched before the usual ones; may be repeated");
  directories->type_name("FOLDER")->allow_extra_args(false)->group("Backends");
  takes_file(directories);
  app.add_option_function<std::vector<std::string>>(
         "--backend-config",
         [&config](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             if (const Status status = add_backend_setting(text, config.backend_settings); !status.ok()) {
               throw CLI::ValidationError("--backend-config", status.message());
             }
           }
         },
         "A setting of a backend; may be repeated")
      ->type_name("BACKEND,SETTING=VALUE")
      ->allow_extra_args(false)
      ->group("Backends");
}

}  // namespace modelmill

#include "cli/python_options.h"

#include <CLI/Error.hpp>
#include <string>
#include <vector>

namespace modelmill {

void define_python_options(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr char kGroup[] = "Python models";
  const auto add_setting = [&](const char* name, const char* setting, const char* description) {
    return options.takes_file(app.add_option_function<std::string>(
        name, [&config, setting](const std::string& text) { config.backend_settings["python"][setting] = text; },
        description));
  };
  add_setting(
      "--python", "python",
      "The interpreter, or the virtual environment, that runs Python models [the active environment, else python3]")
      ->type_name("PATH")
      ->group(kGroup);
  add_setting("--python-wheels", "wheels",
              "Install what a model's requirements.txt asks for from the wheels in this folder, without the network")
      ->type_name("FOLDER")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--allow-model-code",
         [&config](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             if (text != "url" && text != "sent")
               throw CLI::ValidationError("--allow-model-code", "'" + text + "' is neither url nor sent");
             (text == "url" ? config.allow_url_code : config.allow_sent_code) = true;
           }
         },
         "Run the Python code of models that come from a URL, or that clients send to the server; may be repeated")
      ->type_name("url|sent")
      ->allow_extra_args(false)
      ->group(kGroup);
}

}  // namespace modelmill

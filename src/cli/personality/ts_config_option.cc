#include "cli/personality/ts_config_option.h"

#include <CLI/Error.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/personality/torchserve_config.h"
#include "cli/personality/torchserve_keystore.h"
#include "cli/serve_options.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr const char* kOption = "--ts-config";

}  // namespace

Status apply_serve_arguments(std::vector<std::string> arguments, ServerConfig& config) {
  CLI::App app;
  OptionSet options;
  define_serve_options(app, options, config);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return invalid_argument(error.what());
  }
  return ok_status();
}

Status apply_torchserve_config(const std::string& file, const Variables& variables, ServerConfig& config) {
  constexpr uint64_t kLimit = 16 << 20;
  if (!is_torchserve_properties(file))
    return invalid_argument("'" + file + "' is no file that is called *.properties, or *.cfg as snapshots are");
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kLimit));
  Result<Properties> properties = parse_properties(text);
  if (properties.ok()) properties = with_keystore(*std::move(properties), variables);
  if (!properties.ok()) return properties.status().with_context("file '" + file + "'");
  Result<TorchServeTranslation> translated =
      translate_torchserve_config(file, *std::move(properties), variables, /*presets=*/false);
  if (!translated.ok()) return translated.status().with_context("file '" + file + "'");
  const Status applied = apply_serve_arguments(translated->arguments, config);
  if (!applied.ok()) return applied.with_context("file '" + file + "'");
  for (const std::string& warning : translated->warnings) Log::warning(file + ": " + warning);
  return ok_status();
}

CLI::Option& define_ts_config_option(CLI::App& app, OptionSet& options, ServerConfig& config) {
  CLI::Option* const option = app.add_option_function<std::string>(
      kOption,
      [&config](const std::string& file) {
        const Status status = apply_torchserve_config(file, process_variables(), config);
        if (!status.ok()) throw CLI::ValidationError(kOption, status.message());
      },
      "Serve as this config.properties of TorchServe's says; what else is given counts more");
  options.takes_file(option)->type_name("FILE")->trigger_on_parse();
  return *option;
}

}  // namespace modelmill

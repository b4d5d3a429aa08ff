#include "cli/predict_options.h"

#include <CLI/Validators.hpp>

#include "cli/server_options.h"

namespace modelmill {
namespace {

const Choices<OutputFormat> kOutputFormats = {{"text", OutputFormat::kText},
                                              {"json", OutputFormat::kJson},
                                              {"csv", OutputFormat::kCsv},
                                              {"npy", OutputFormat::kNpy}};

}  // namespace

void define_predict_options(CLI::App& app, OptionSet& options, PredictCommand& command, bool& json) {
  CLI::Option* model = app.add_option("MODEL", command.model,
                                      "A model's file or folder, loaded in this process; with --server a model's name");
  model->type_name("MODEL")->required();
  options.takes_file(model);
  CLI::Option* input = app.add_option(
      "INPUT", command.input, ".json, .npy, .csv, .png or .txt; '-' reads standard input and looks at what it is");
  input->type_name("INPUT")->required();
  options.takes_file(input);
  app.add_option("--server", command.server, "Ask this server: http://HOST:PORT, https://HOST:PORT or unix:PATH")
      ->type_name("URL");
  add_ca_option(app, options, command.ca);
  add_token_option(app, options, command.token_file);
  app.add_option("--version", command.version, "The model's version; 0 for the default one")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber.description(""));
  CLI::Option* output = app.add_option("--output", command.output, "Where the answer goes; '-' is standard output [-]");
  output->type_name("FILE");
  options.takes_file(output);
  CLI::Option* format = options.add_choice(app, "--format", kOutputFormats, command.format,
                                           "How it is written; by --output's ending when that says it [text]");
  app.add_flag("--json", json, "The same as --format json")->excludes(format);
  options.add_seconds(app, "--timeout", command.timeout, "How long a server may take to answer");
  app.add_option("--instance-threads", command.config.instance_threads,
                 "Threads of the model in this process; 0 chooses")
      ->type_name("N")
      ->check(CLI::Range(0, 1'024).description(""));
  options.add_backend_options(app, command.config);
}

void settle_predict_format(const CLI::App& app, bool json, PredictCommand& command) {
  if (json) {
    command.format = OutputFormat::kJson;
  } else if (app.get_option("--format")->count() == 0) {
    for (const auto& [name, format] : kOutputFormats)
      if (format != OutputFormat::kText && command.output.ends_with("." + name)) command.format = format;
  }
}

}  // namespace modelmill

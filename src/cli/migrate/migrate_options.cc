#include "cli/migrate/migrate_options.h"

namespace modelmill {
namespace {

const Choices<MigratedSystem> kSystems = {{"triton", MigratedSystem::kTriton},
                                          {"tensorflow", MigratedSystem::kTensorflow},
                                          {"torchserve", MigratedSystem::kTorchserve},
                                          {"mlserver", MigratedSystem::kMlserver},
                                          {"mlflow", MigratedSystem::kMlflow}};

}  // namespace

void define_migrate_options(CLI::App& app, OptionSet& options, MigrateCommand& command) {
  CLI::Option* path = app.add_option(
      "PATH", command.path,
      "A repository of Triton's, a base path or model_config_file of TensorFlow Serving's, a store, .mar or "
      "config.properties of TorchServe's, a folder of MLServer's or MLflow's, or NAME=PATH");
  options.takes_file(path)->type_name("PATH")->required();
  options.takes_file(app.add_option("--to", command.to, "The folder to write, with a folder for each model"))
      ->type_name("FOLDER");
  options.add_choice(app, "--from", kSystems, command.from, "Whose it must be [found by looking]");
  CLI::Option* link = app.add_flag("--link", command.link, "Link to the models' files where they are [the default]");
  app.add_flag("--copy", command.copy, "Copy the models' files")->excludes(link);
  app.add_flag("--dry-run", command.dry_run, "Print the report and the configurations, and write nothing");
  app.add_flag("--tune-again", command.tune_again,
               "Leave out hand-set instances, threads, delays and preferred sizes of batches");
  app.add_flag("--force", command.force, "Replace models that are in FOLDER already");
  app.add_flag("--json", command.json, "Print JSON");
  options.add_backend_options(app, command.config);
}

std::string migrate_options_problem(const MigrateCommand& command) {
  return command.to.empty() && !command.dry_run ? "--to is required, or --dry-run" : "";
}

}  // namespace modelmill

#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <utility>

#include "cli/cloud_environment.h"
#include "cli/command_text.h"
#include "cli/ensemble_options.h"
#include "cli/experiment_options.h"
#include "cli/migrate/migrate_options.h"
#include "cli/option_set.h"
#include "cli/predict_options.h"
#include "cli/rollout_options.h"
#include "cli/route_options.h"
#include "cli/serve_options.h"
#include "cli/server_options.h"
#include "cli/suggestion.h"
#include "cli/verify/verify_options.h"
#include "server/trace_environment.h"
#include "server/version.h"

namespace modelmill {
namespace {

constexpr char kGroupHidden[] = "";

const Choices<int> kNewKinds = {{"backend", 0}};
const Choices<int> kShells = {{"bash", 0}, {"zsh", 1}, {"fish", 2}};

/// Definitions of the command line and the variables that parsing fills. One parse each.
class Definitions {
 public:
  Definitions();

  Command parse(const std::vector<std::string>& arguments);
  std::vector<CommandText> texts() const;

 private:
  void define_serve();
  void define_predict();
  void define_models();
  void define_explain();
  void define_route();
  void define_rollout();
  void define_experiment();
  void define_ensemble();
  void define_top();
  void define_doctor();
  void define_lint();
  void define_migrate();
  void define_verify();
  void define_new();
  void define_completion();
  CLI::App* command(const std::string& name, const std::string& description, const std::string& examples);
  ParsedAnswer usage_error(const CLI::App& used, std::string message) const;
  const CLI::App& used_command() const;
  Command finish();

  CLI::App app_{"Serves trained models over HTTP and gRPC on one port: batched, versioned, observed.", "modelmill"};
  OptionSet options_;
  std::vector<CLI::App*> commands_;
  bool markdown_ = false;
  bool version_ = false;
  bool predict_json_ = false;
  CLI::App *serve_app_ = nullptr, *predict_app_ = nullptr, *models_app_ = nullptr, *explain_app_ = nullptr,
           *route_app_ = nullptr, *rollout_app_ = nullptr, *experiment_app_ = nullptr, *ensemble_app_ = nullptr,
           *top_app_ = nullptr, *doctor_app_ = nullptr, *lint_app_ = nullptr, *migrate_app_ = nullptr,
           *verify_app_ = nullptr, *new_app_ = nullptr, *completion_app_ = nullptr;
  ServeCommand serve_;
  PredictCommand predict_;
  ModelsCommand models_;
  ExplainCommand explain_;
  RouteCommand route_;
  RolloutCommand rollout_;
  ExperimentCommand experiment_;
  EnsembleCommand ensemble_;
  TopCommand top_;
  DoctorCommand doctor_;
  LintCommand lint_;
  MigrateCommand migrate_;
  VerifyCommand verify_;
  NewCommand new_;
  CompletionCommand completion_;
};

Definitions::Definitions() {
  app_.set_help_flag("-h,--help", "Print this help");
  app_.add_flag("--version", version_, "Print the version");
  app_.add_flag("--help-markdown", markdown_, "Print the reference of all commands")->group(kGroupHidden);
  app_.require_subcommand(0, 1);
  define_serve();
  define_predict();
  define_models();
  define_explain();
  define_route();
  define_rollout();
  define_experiment();
  define_ensemble();
  define_top();
  define_doctor();
  define_lint();
  define_migrate();
  define_verify();
  define_new();
  define_completion();
}

CLI::App* Definitions::command(const std::string& name, const std::string& description, const std::string& examples) {
  CLI::App* app = app_.add_subcommand(name, description);
  app->set_help_flag("-h,--help", "Print this help");
  app->footer(examples);
  commands_.push_back(app);
  return app;
}

void Definitions::define_serve() {
  serve_app_ = command("serve", "Serve models until a signal comes",
                       "  modelmill serve model.onnx\n"
                       "  modelmill serve models/ --port 9000 --access-log\n"
                       "  modelmill serve a.onnx b.onnx --host 0.0.0.0 --log-format json");
  define_serve_options(*serve_app_, options_, serve_.config);
}

void Definitions::define_predict() {
  predict_app_ = command("predict", "Ask a model once and print its answer",
                         "  modelmill predict model.onnx input.json\n"
                         "  modelmill predict ocr page.png --server http://127.0.0.1:8000\n"
                         "  echo '[[1,2,3]]' | modelmill predict model.onnx - --json\n"
                         "  modelmill predict model.onnx rows.csv --output answer.npy");
  define_predict_options(*predict_app_, options_, predict_, predict_json_);
}

void Definitions::define_models() {
  models_app_ = command("models", "List a server's models",
                        "  modelmill models\n"
                        "  modelmill models --server http://10.0.0.5:8000 --json");
  add_server_options(*models_app_, options_, models_);
}

void Definitions::define_explain() {
  explain_app_ = command("explain", "Tell why a model runs as it does, and what could be changed",
                         "  modelmill explain ocr\n"
                         "  modelmill explain ocr --version 3 --json");
  explain_app_->add_option("MODEL", explain_.model, "The name of one of the server's models")
      ->type_name("MODEL")
      ->required();
  add_server_options(*explain_app_, options_, explain_);
  explain_app_->add_option("--version", explain_.version, "The model's version; 0 for the default one")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber.description(""));
}

void Definitions::define_route() {
  route_app_ = command("route", "Show and change a server's routes: names over versions and models",
                       "  modelmill route set reader '{\"split\": {\"ocr@stable\": 95, \"ocr@canary\": 5}}'\n"
                       "  modelmill route undo reader");
  define_route_arguments(*route_app_, options_, route_);
  add_server_options(*route_app_, options_, route_);
}

void Definitions::define_rollout() {
  rollout_app_ = command("rollout", "Move a route or model to another version, step by step, watched",
                         "  modelmill rollout start ocr --to 7 --steps 5,25,50,100 --hold 10m\n"
                         "  modelmill rollout start ocr --to 7 --gate error_rate<=+0.5pp --gate p99<=50ms\n"
                         "  modelmill rollout watch ocr");
  define_rollout_arguments(*rollout_app_, options_, rollout_);
  add_server_options(*rollout_app_, options_, rollout_);
}

void Definitions::define_experiment() {
  experiment_app_ = command("experiment", "Compare the arms of a route by what users do, and deploy the winner",
                            "  modelmill experiment start checkout --route reader --goal purchase --window 1d\n"
                            "  modelmill experiment outcome checkout --user ann --value 1\n"
                            "  modelmill experiment status checkout");
  define_experiment_arguments(*experiment_app_, options_, experiment_);
  add_server_options(*experiment_app_, options_, experiment_);
}

void Definitions::define_ensemble() {
  ensemble_app_ = command("ensemble", "See, learn and set how much each member of a combination counts",
                          "  modelmill ensemble status digits\n"
                          "  modelmill ensemble feedback digits '{\"id\": \"r-17\", \"label\": 3}'\n"
                          "  modelmill ensemble fit digits labelled.jsonl --apply\n"
                          "  modelmill ensemble freeze digits");
  define_ensemble_arguments(*ensemble_app_, options_, ensemble_);
  add_server_options(*ensemble_app_, options_, ensemble_);
}

void Definitions::define_top() {
  top_app_ = command("top", "Watch what a server does: requests, latencies, batches",
                     "  modelmill top\n"
                     "  modelmill top --server http://10.0.0.5:8000 --interval 5\n"
                     "  modelmill top --once --json");
  add_server_options(*top_app_, options_, top_);
  top_app_
      ->add_option_function<double>(
          "--interval", [this](const double& seconds) { top_.interval = std::chrono::duration<double>(seconds); },
          "How long each look at the server is [1]")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3'600.0).description(""));
  top_app_->add_flag("--once", top_.once, "Print one look and end");
}

void Definitions::define_doctor() {
  doctor_app_ = command("doctor", "Tell what this machine can run, what is missing, and what installs it",
                        "  modelmill doctor\n"
                        "  modelmill doctor --json");
  doctor_app_->add_flag("--json", doctor_.json, "Print JSON");
  options_.add_backend_options(*doctor_app_, doctor_.config);
}

void Definitions::define_lint() {
  lint_app_ = command("lint", "Tell what is wrong with models and their configurations, without a server",
                      "  modelmill lint models/\n"
                      "  modelmill lint modelmill.yaml --effective\n"
                      "  modelmill lint --schema > modelmill.schema.json");
  options_
      .takes_file(lint_app_->add_option(
          "PATH", lint_.paths, "Model files, model folders, folders of models, or files such as modelmill.yaml"))
      ->type_name("PATH");
  lint_app_->add_flag("--effective", lint_.effective,
                      "Print the whole configuration of each model, and where each line of it comes from");
  lint_app_->add_flag("--schema", lint_.schema, "Print the JSON schema of modelmill.yaml, for editors");
  options_.add_backend_options(*lint_app_, lint_.config);
}

void Definitions::define_migrate() {
  migrate_app_ =
      command("migrate", "Write another server's models as folders of our own, and tell what becomes of each setting",
              "  modelmill migrate model_repository --dry-run\n"
              "  modelmill migrate model_repository --to models\n"
              "  modelmill migrate model_store/config.properties --to models --copy");
  define_migrate_options(*migrate_app_, options_, migrate_);
}

void Definitions::define_verify() {
  verify_app_ =
      command("verify", "Send the same requests to another server and to this one, and compare answers and speed",
              "  modelmill verify --against http://triton:8000 --requests requests.jsonl\n"
              "  modelmill verify --against http://old:8501 --with http://new:8501 --requests browser.har");
  define_verify_options(*verify_app_, options_, verify_);
}

void Definitions::define_new() {
  new_app_ = command("new", "Write a folder to begin something of your own with: a backend",
                     "  modelmill new backend scale\n"
                     "  sh scale/test.sh");
  CLI::Option* kind = new_app_->add_option("KIND", new_.kind, "What is begun: backend");
  kind->type_name("KIND")->required();
  options_.restrict(kind, kNewKinds);
  new_app_->add_option("NAME", new_.name, "Its name: lower-case letters, digits and _")->type_name("NAME")->required();
  options_
      .takes_file(
          new_app_->add_option("--folder", new_.folder, "The folder to write, which must not be there yet [NAME]"))
      ->type_name("FOLDER");
}

void Definitions::define_completion() {
  completion_app_ = command("completion", "Print a script that completes commands and options in a shell",
                            "  source <(modelmill completion bash)\n"
                            "  modelmill completion zsh > ~/.zfunc/_modelmill\n"
                            "  modelmill completion fish > ~/.config/fish/completions/modelmill.fish");
  CLI::Option* shell = completion_app_->add_option("SHELL", completion_.shell, "bash, zsh or fish");
  shell->type_name("SHELL")->required();
  options_.restrict(shell, kShells);
}

const CLI::App& Definitions::used_command() const {
  for (const CLI::App* command : commands_) {
    if (command->parsed()) return *command;
  }
  return app_;
}

ParsedAnswer Definitions::usage_error(const CLI::App& used, std::string message) const {
  const std::string name = &used == &app_ ? "modelmill" : "modelmill " + used.get_name();
  return {ExitCode::kUsage, name + ": " + message + "\nRun '" + name + " --help' for what there is.\n"};
}

Command Definitions::parse(const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app_.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const CLI::App& used = used_command();
    return ParsedAnswer{ExitCode::kOk, &used == &app_ ? help_text(texts()) : help_text(command_text(used, options_))};
  } catch (const CLI::ExtrasError&) {
    const CLI::App& used = used_command();
    const std::vector<std::string> extras = app_.remaining(true);
    const std::string wrong = extras.empty() ? std::string() : extras.front();
    std::vector<std::string> known;
    for (const CLI::App* command : commands_) {
      if (&used == &app_) known.push_back(command->get_name());
    }
    for (const CLI::Option* option : used.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    const bool option = !wrong.empty() && wrong.front() == '-';
    const std::string kind = option ? "option" : &used == &app_ ? "command" : "argument";
    return usage_error(used, "unknown " + kind + " '" + wrong + "'" + suggestion(wrong, known));
  } catch (const CLI::ConversionError& error) {
    // "Could not convert: --port = x"
    std::string what = error.what();
    if (const size_t colon = what.find(": "); colon != std::string::npos) what.erase(0, colon + 2);
    return usage_error(used_command(), what + " is not what it takes");
  } catch (const CLI::ParseError& error) {
    return usage_error(used_command(), error.what());
  }
  return finish();
}

Command Definitions::finish() {
  if (version_) return ParsedAnswer{ExitCode::kOk, std::string("modelmill ") + server_version() + "\n"};
  if (markdown_) return ParsedAnswer{ExitCode::kOk, commands_markdown()};
  if (serve_app_->parsed()) {
    Status status = apply_cloud_environment(
        process_variables(), {serve_app_->count("--host") > 0, serve_app_->count("--port") > 0}, serve_.config);
    if (status.ok()) status = apply_trace_environment(process_variables(), /*may_begin=*/true, serve_.config.trace);
    if (status.ok()) status = check_server_config(serve_.config);
    if (!status.ok()) return usage_error(*serve_app_, status.message());
    return serve_;
  }
  if (predict_app_->parsed()) {
    settle_predict_format(*predict_app_, predict_json_, predict_);
    return predict_;
  }
  if (models_app_->parsed()) return models_;
  if (explain_app_->parsed()) return explain_;
  if (route_app_->parsed()) {
    if (const std::string problem = route_arguments_problem(route_); !problem.empty())
      return usage_error(*route_app_, problem);
    return route_;
  }
  if (rollout_app_->parsed()) {
    if (const std::string problem = rollout_arguments_problem(rollout_); !problem.empty())
      return usage_error(*rollout_app_, problem);
    return rollout_;
  }
  if (experiment_app_->parsed()) {
    if (const std::string problem = experiment_arguments_problem(experiment_); !problem.empty())
      return usage_error(*experiment_app_, problem);
    return experiment_;
  }
  if (ensemble_app_->parsed()) {
    if (const std::string problem = ensemble_arguments_problem(ensemble_); !problem.empty())
      return usage_error(*ensemble_app_, problem);
    return ensemble_;
  }
  if (top_app_->parsed()) return top_;
  if (doctor_app_->parsed()) return doctor_;
  if (lint_app_->parsed()) {
    if (lint_.paths.empty() && !lint_.schema) return usage_error(*lint_app_, "PATH is required");
    return lint_;
  }
  if (migrate_app_->parsed()) {
    if (const std::string problem = migrate_options_problem(migrate_); !problem.empty())
      return usage_error(*migrate_app_, problem);
    return migrate_;
  }
  if (verify_app_->parsed()) return verify_;
  if (new_app_->parsed()) return new_;
  if (completion_app_->parsed()) return completion_;
  return ParsedAnswer{ExitCode::kUsage, help_text(texts())};
}

std::vector<CommandText> Definitions::texts() const {
  std::vector<CommandText> texts;
  for (const CLI::App* command : commands_) texts.push_back(command_text(*command, options_));
  return texts;
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
  // "help serve" is what many programs take; it means the same here as "serve --help".
  if (!arguments.empty() && arguments.front() == "help") {
    std::vector<std::string> asked(arguments.begin() + 1, arguments.end());
    asked.push_back("--help");
    return Definitions().parse(asked);
  }
  return Definitions().parse(arguments);
}

std::vector<CommandText> command_texts() { return Definitions().texts(); }

}  // namespace modelmill

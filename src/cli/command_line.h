#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/exit_code.h"
#include "server/server_config.h"

namespace modelmill {

/// `modelmill serve`
struct ServeCommand {
  ServerConfig config;
};

/// How an answer is written.
enum class OutputFormat { kText, kJson, kCsv, kNpy };

/// `modelmill predict`
struct PredictCommand {
  std::string model;
  std::string input;
  /// Empty: the model is loaded in this process.
  std::string server;
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  int64_t version = 0;  // 0: the default one
  std::string output = "-";
  OutputFormat format = OutputFormat::kText;
  std::chrono::seconds timeout{300};
  /// For the model in this process: backends and instance threads.
  ServerConfig config;
};

/// `modelmill models`
struct ModelsCommand {
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::seconds timeout{30};
};

/// `modelmill explain`
struct ExplainCommand {
  std::string model;
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  int64_t version = 0;  // 0: the default one
  bool json = false;
  std::chrono::seconds timeout{30};
};

/// What `modelmill route` does.
enum class RouteAction { kList, kShow, kSet, kDelete, kHistory, kUndo, kShadow };

/// `modelmill route`
struct RouteCommand {
  RouteAction action = RouteAction::kList;
  std::string name;
  std::string definition;  // JSON, a file that has it, or "-"
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::seconds timeout{30};
};

/// What `modelmill rollout` does.
enum class RolloutCommandAction { kStart, kStatus, kPause, kResume, kAbort, kPromote, kList, kHistory, kWatch };

/// `modelmill rollout`
struct RolloutCommand {
  RolloutCommandAction action = RolloutCommandAction::kList;
  std::string name;
  // Of start; empty: the server's defaults.
  std::string to, from, steps, hold, sticky, compare;
  std::vector<std::string> gates;
  int64_t min_requests = 0;
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::duration<double> interval{1};  // of watch
  std::chrono::seconds timeout{60};
};

/// What `modelmill experiment` does.
enum class ExperimentAction { kStart, kStatus, kOutcome, kDeploy, kStop, kList };

/// `modelmill experiment`
struct ExperimentCommand {
  ExperimentAction action = ExperimentAction::kList;
  std::string name;
  // Of start; empty or negative: the server's defaults.
  std::string route, goal, control, window;
  std::vector<std::string> guardrails;
  double margin = -1, alpha = -1;
  int64_t min_users = 0, users = 0;
  bool deploy_winner = false;
  // Of outcome: one, or a file that has many as JSON ("-": standard input).
  std::string outcomes, user, request, metric, id, at, value;
  std::string arm;  // of deploy; empty: the winner
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::seconds timeout{60};
};

/// What `modelmill ensemble` does.
enum class EnsembleAction { kStatus, kFeedback, kFit, kSet, kFreeze, kUnfreeze, kReset, kList };

/// `modelmill ensemble`
struct EnsembleCommand {
  EnsembleAction action = EnsembleAction::kList;
  std::string name;
  std::string source;  // of feedback, fit and set: a file ("-": standard input), or JSON
  bool apply = false;  // of fit
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::seconds timeout{60};
};

/// `modelmill top`
struct TopCommand {
  std::string server = "http://127.0.0.1:8000";
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  bool once = false;
  std::chrono::duration<double> interval{1};
  std::chrono::seconds timeout{30};
};

/// `modelmill doctor`
struct DoctorCommand {
  bool json = false;
  ServerConfig config;
};

/// `modelmill lint`
struct LintCommand {
  std::vector<std::string> paths;
  bool effective = false;
  bool schema = false;
  ServerConfig config;  // backends
};

/// Whose models `modelmill migrate` takes.
enum class MigratedSystem { kAny, kTriton, kTensorflow, kTorchserve, kMlserver, kMlflow };

/// `modelmill migrate`
struct MigrateCommand {
  std::string path;
  std::string to;
  MigratedSystem from = MigratedSystem::kAny;
  bool copy = false;  // else the files are linked
  bool link = false;  // said by name
  bool dry_run = false;
  bool tune_again = false;
  bool force = false;
  bool json = false;
  ServerConfig config;  // backends
};

/// `modelmill verify`
struct VerifyCommand {
  std::string against;
  std::string with = "http://127.0.0.1:8000";
  std::string requests;
  double tolerance = 1e-5;
  std::vector<std::string> ignored;
  int repeat = 3;
  int concurrency = 1;
  std::string ca;  // authorities of https servers; empty: the system's
  std::string token_file;
  bool json = false;
  std::chrono::seconds timeout{60};
};

/// `modelmill new`
struct NewCommand {
  std::string kind;
  std::string name;
  std::string folder;  // empty: as the name
};

/// `modelmill completion`
struct CompletionCommand {
  std::string shell;
};

/// The command line was answered by its parsing: a help text, a version, or what is wrong with it.
struct ParsedAnswer {
  ExitCode exit_code = ExitCode::kOk;
  std::string text;
};

using Command = std::variant<ParsedAnswer, ServeCommand, PredictCommand, ModelsCommand, ExplainCommand, RouteCommand,
                             RolloutCommand, ExperimentCommand, EnsembleCommand, TopCommand, DoctorCommand, LintCommand,
                             MigrateCommand, VerifyCommand, NewCommand, CompletionCommand>;

/// Reads the arguments after the program's name. Pure: prints nothing, touches no file.
Command parse_command_line(const std::vector<std::string>& arguments);

/// One option of a command as the reference and the completions show it.
struct OptionText {
  std::string names;  // "--port", "-h,--help"; of a positional argument "PATH"
  std::string group;  // the heading it stands under
  std::string value;  // "PORT", or empty for a flag
  std::string description;
  std::vector<std::string> choices;  // when only these are allowed
  bool takes_file = false;
};

struct CommandText {
  std::string name;
  std::string usage;  // "modelmill serve PATH... [OPTIONS]"
  std::string description;
  std::string examples;  // lines
  std::vector<OptionText> options;
  std::vector<std::string> positional_choices;
  bool takes_files = false;
};

/// Every command with its options, from the same definitions that parse them.
std::vector<CommandText> command_texts();

/// What `modelmill COMMAND --help` prints.
std::string help_text(const CommandText& command);
/// What `modelmill --help` prints.
std::string help_text(const std::vector<CommandText>& commands);

/// The reference of docs/cli.md: a table of commands, then one of each command's options, in Markdown.
std::string commands_markdown();

}  // namespace modelmill

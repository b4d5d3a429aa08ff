#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/server_config.h"

namespace modelmill::personality {

/// How a flag of the original is taken here.
enum class Taken {
  kSame,     // means here what it means there
  kMapped,   // does it in a way of ours, which the note names
  kIgnored,  // changes nothing, for the reason that the note gives
};

/// What a flag takes.
enum class FlagValue { kNone, kBool, kInteger, kNumber, kText };

/// A flag of the original as the reference and the usage show it. Texts are Markdown.
struct FlagText {
  std::string_view name;  // without dashes
  FlagValue value = FlagValue::kText;
  Taken taken = Taken::kSame;
  std::string_view note;
  std::string_view example;  // a value of it
};

/// A line that the log gets at the start.
struct Notice {
  std::string event;
  std::string flag;
  std::string reason;
};

/// What is logged, and where to.
struct LogSetup {
  bool debug = false;
  bool info = true;
  bool warning = true;
  bool error = true;
  std::string file;  // empty: standard error
};

/// A server to start.
struct Launch {
  ServerConfig config;
  LogSetup log;
  std::vector<Notice> notices;
  /// Has `serve`, whose exit code it gets, run where the original's server runs; empty: here and now.
  std::function<int(const std::function<int()>& serve)> around;
};

/// Something else than a server, which gives the exit code.
struct Errand {
  std::function<int()> run;
};

/// The command line was answered by its parsing.
struct Answer {
  int exit_code = 0;
  std::string text;
  bool complaint = true;  // for standard error
};

using Outcome = std::variant<Answer, Launch, Errand>;

/// The environment's variable of a name, or nothing.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// Another model server that modelmill stands in for. A value without state: its parsing prints nothing and touches
/// only the files that its flags name as configuration.
struct Personality {
  std::string_view name;
  /// Reads the arguments after the program's name.
  Outcome (*parse)(const std::vector<std::string>& arguments, const Environment& environment) = nullptr;
  /// The exit code of a start that fails, and what is printed before the reason.
  int failure = 1;
  std::string_view failure_prefix;
  bool failure_on_stdout = false;
};

/// That of a name, or of one of the names that a server of several has. Null: there is none.
const Personality* find_personality(std::string_view name);
std::vector<std::string> personality_names();

/// Runs the server that the arguments ask for, and returns the original's exit code.
int run_personality(const Personality& personality, const std::vector<std::string>& arguments);

extern const Personality kTritonServer;
extern const Personality kTensorFlowModelServer;
extern const Personality kTorchServe;
extern const Personality kMlserver;
extern const Personality kKserve;

}  // namespace modelmill::personality

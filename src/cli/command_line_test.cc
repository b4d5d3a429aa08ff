#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cli/suggestion.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
T parsed(const std::vector<std::string>& arguments) {
  Command command = parse_command_line(arguments);
  if (const auto* answer = std::get_if<ParsedAnswer>(&command)) {
    if constexpr (!std::is_same_v<T, ParsedAnswer>) ADD_FAILURE() << answer->text;
  }
  if (T* wanted = std::get_if<T>(&command)) return *wanted;
  ADD_FAILURE() << "another command";
  return T();
}

TEST(CommandLine, ServeListensOnEveryAddressThatIsNamed) {
  const auto serve = parsed<ServeCommand>(
      {"serve", "--listen", "[::1]:80", "a.onnx", "--listen=unix:/m.sock", "--listen", "https://b:0"});
  EXPECT_THAT(serve.config.paths, ElementsAre("a.onnx"));
  std::vector<std::string> listen;
  for (const auto& endpoint : serve.config.listen) listen.push_back(url_text(endpoint));
  EXPECT_THAT(listen, ElementsAre("http://[::1]:80", "unix:/m.sock", "https://b:0"));
}

TEST(CommandLine, ServeTakesPathsAndOptionsInAnyOrder) {
  const auto serve = parsed<ServeCommand>({"serve",
                                           "a.onnx",
                                           "--host",
                                           "0.0.0.0",
                                           "--port=9000",
                                           "b",
                                           "--log-level",
                                           "debug",
                                           "--log-format=json",
                                           "--access-log",
                                           "--io-threads",
                                           "3",
                                           "--instances",
                                           "2",
                                           "--instance-threads",
                                           "4",
                                           "--max-queue-size",
                                           "10",
                                           "--max-queue-bytes",
                                           "20",
                                           "--response-cache-bytes",
                                           "2MiB",
                                           "--response-cache-entries=9",
                                           "--backend-directory",
                                           "/x",
                                           "--backend-directory",
                                           "/y",
                                           "--backend-config",
                                           "onnxruntime,a=b",
                                           "--server-timing",
                                           "--grpc-compression",
                                           "always",
                                           "--drain-delay",
                                           "3",
                                           "--drain-timeout",
                                           "5",
                                           "c"});
  EXPECT_THAT(serve.config.paths, ElementsAre("a.onnx", "b", "c"));
  EXPECT_EQ(serve.config.host, "0.0.0.0");
  EXPECT_EQ(serve.config.port, 9000);
  EXPECT_EQ(serve.config.log_level, LogLevel::kDebug);
  EXPECT_EQ(serve.config.log_format, LogFormat::kJson);
  EXPECT_TRUE(serve.config.access_log);
  EXPECT_EQ(serve.config.io_threads, 3);
  EXPECT_EQ(serve.config.instances, 2);
  EXPECT_EQ(serve.config.instance_threads, 4);
  EXPECT_EQ(serve.config.max_queue_requests, 10);
  EXPECT_EQ(serve.config.max_queue_bytes, 20);
  EXPECT_EQ(serve.config.response_cache.bytes, uint64_t{2} << 20);
  EXPECT_EQ(serve.config.response_cache.entries, 9U);
  EXPECT_THAT(serve.config.backend_directories, ElementsAre("/x", "/y"));
  EXPECT_EQ(serve.config.backend_settings.at("onnxruntime").at("a"), "b");
  EXPECT_TRUE(serve.config.server_timing);
  EXPECT_EQ(serve.config.grpc_compression, wire::GrpcCompression::kAlways);
  EXPECT_EQ(serve.config.drain_delay, std::chrono::seconds(3));
  EXPECT_EQ(serve.config.drain_timeout, std::chrono::seconds(5));
}

TEST(CommandLine, PredictTakesItsFormatFromTheOutputsName) {
  EXPECT_EQ(parsed<PredictCommand>({"predict", "m", "-"}).format, OutputFormat::kText);
  EXPECT_EQ(parsed<PredictCommand>({"predict", "m", "-", "--json"}).format, OutputFormat::kJson);
  EXPECT_EQ(parsed<PredictCommand>({"predict", "m", "-", "--output", "x.npy"}).format, OutputFormat::kNpy);
  EXPECT_EQ(parsed<PredictCommand>({"predict", "m", "-", "--output", "x.npy", "--format", "csv"}).format,
            OutputFormat::kCsv);
  const auto predict = parsed<PredictCommand>({"predict", "m", "i.png", "--server", "h:1", "--version", "7"});
  EXPECT_EQ(predict.model, "m");
  EXPECT_EQ(predict.input, "i.png");
  EXPECT_EQ(predict.server, "h:1");
  EXPECT_EQ(predict.version, 7);
}

TEST(CommandLine, ReadsTheOtherCommands) {
  EXPECT_EQ(parsed<ModelsCommand>({"models"}).server, "http://127.0.0.1:8000");
  EXPECT_TRUE(parsed<ModelsCommand>({"models", "--server", "x", "--json"}).json);
  const auto explain = parsed<ExplainCommand>({"explain", "m", "--version", "3", "--server", "x", "--json"});
  EXPECT_EQ(explain.model, "m");
  EXPECT_EQ(explain.version, 3);
  EXPECT_EQ(explain.server, "x");
  EXPECT_TRUE(explain.json);
  EXPECT_EQ(parsed<TopCommand>({"top"}).interval, std::chrono::seconds(1));
  const auto top = parsed<TopCommand>({"top", "--server", "x", "--once", "--json", "--interval", "0.5"});
  EXPECT_EQ(top.server, "x");
  EXPECT_TRUE(top.once && top.json);
  EXPECT_EQ(top.interval, std::chrono::milliseconds(500));
  EXPECT_TRUE(parsed<DoctorCommand>({"doctor", "--json"}).json);
  const auto lint = parsed<LintCommand>({"lint", "a", "b", "--effective", "--backend-directory", "/x"});
  EXPECT_THAT(lint.paths, ElementsAre("a", "b"));
  EXPECT_TRUE(lint.effective && !lint.schema);
  EXPECT_TRUE(parsed<LintCommand>({"lint", "--schema"}).schema);
  EXPECT_EQ(parsed<CompletionCommand>({"completion", "zsh"}).shell, "zsh");
}

TEST(CommandLine, HelpAndVersionAreAnswersThatSucceed) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"-h"},
                                                    {"serve", "--help"},
                                                    {"predict", "-h"},
                                                    {"doctor", "--help"},
                                                    {"help"},
                                                    {"help", "serve"}}) {
    const auto answer = parsed<ParsedAnswer>(arguments);
    EXPECT_EQ(answer.exit_code, ExitCode::kOk);
    EXPECT_THAT(answer.text, HasSubstr("Usage: modelmill"));
    EXPECT_THAT(answer.text, HasSubstr("Examples:"));
  }
  EXPECT_THAT(parsed<ParsedAnswer>({"--version"}).text, testing::MatchesRegex("modelmill [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(CommandLine, AWrongLineIsAUsageErrorThatSaysWhatIsWrong) {
  struct Case {
    std::vector<std::string> arguments;
    const char* text;
  };
  for (const Case& c : std::initializer_list<Case>{
           {{}, "Usage: modelmill COMMAND"},
           {{"serv", "x"}, "unknown command 'serv'; did you mean 'serve'?"},
           {{"serve"}, "PATH is required"},
           {{"serve", "x", "--prot", "1"}, "unknown option '--prot'; did you mean '--port'?"},
           {{"serve", "x", "--port", "http"}, "--port = http"},
           {{"serve", "x", "--port", "65536"}, "--port is 65536; it must be between 0 and 65535"},
           {{"serve", "x", "--port"}, "--port"},
           {{"serve", "x", "--log-level", "loud"}, "'loud' is none of debug|info|warning|error|off"},
           {{"serve", "x", "--backend-config", "a"}, "expected BACKEND,SETTING=VALUE"},
           {{"serve", "x", "--drain-timeout", "-1"}, "--drain-timeout"},
           {{"predict", "m"}, "INPUT is required"},
           {{"predict", "m", "i", "extra"}, "unknown argument 'extra'"},
           {{"serve", "m", "--listen", "box:80", "--port", "1"}, "excludes"},
           {{"serve", "m", "--listen", "box"}, "'box' is no address to listen on"},
           {{"predict", "m", "i", "--json", "--format", "csv"}, "excludes"},
           {{"predict", "m", "i", "--version", "-1"}, "--version"},
           {{"explain"}, "MODEL is required"},
           {{"lint"}, "PATH is required"},
           {{"top", "--interval", "0"}, "--interval"},
           {{"completion", "tcsh"}, "'tcsh' is none of bash|zsh|fish"},
           {{"doctor", "--jsn"}, "did you mean '--json'?"}}) {
    const auto answer = parsed<ParsedAnswer>(c.arguments);
    EXPECT_EQ(answer.exit_code, ExitCode::kUsage) << answer.text;
    EXPECT_THAT(answer.text, HasSubstr(c.text));
  }
}

TEST(CommandLine, TheReferenceInTheDocsIsWhatTheProgramTakes) {
  std::ifstream file(MODELMILL_CLI_REFERENCE);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr(commands_markdown()))
      << "docs/cli.md is behind; put the output of `modelmill --help-markdown` into it";
}

TEST(Suggestion, IsMadeOnlyForWhatIsNear) {
  EXPECT_EQ(suggestion("--prot=1", {"--host", "--port"}), "; did you mean '--port'?");
  EXPECT_EQ(suggestion("banana", {"serve", "doctor"}), "");
  EXPECT_EQ(suggestion("", {"serve"}), "");
  EXPECT_EQ(suggestion("x", {}), "");
}

TEST(CommandLine, MigrateWritesSomewhereOrNothing) {
  const auto migrate = parsed<MigrateCommand>(
      {"migrate", "repository", "--to", "models", "--from", "torchserve", "--copy", "--force", "--tune-again"});
  EXPECT_EQ(migrate.path, "repository");
  EXPECT_EQ(migrate.to, "models");
  EXPECT_EQ(migrate.from, MigratedSystem::kTorchserve);
  EXPECT_TRUE(migrate.copy && migrate.force && migrate.tune_again && !migrate.dry_run);
  EXPECT_TRUE(parsed<MigrateCommand>({"migrate", "repository", "--dry-run"}).dry_run);
  EXPECT_THAT(parsed<ParsedAnswer>({"migrate", "repository"}).text, HasSubstr("--to is required, or --dry-run"));
  EXPECT_EQ(parsed<ParsedAnswer>({"migrate", "x", "--to", "y", "--copy", "--link"}).exit_code, ExitCode::kUsage);
  EXPECT_EQ(parsed<ParsedAnswer>({"migrate", "x", "--to", "y", "--from", "seldon"}).exit_code, ExitCode::kUsage);
}

TEST(CommandLine, VerifyNeedsTheOtherServerAndRequests) {
  const auto verify = parsed<VerifyCommand>({"verify", "--against", "http://a:1", "--requests", "r", "--ignore", "x.y",
                                             "--ignore", "z", "--tolerance", "0.01"});
  EXPECT_EQ(verify.against, "http://a:1");
  EXPECT_EQ(verify.with, "http://127.0.0.1:8000");
  EXPECT_THAT(verify.ignored, ElementsAre("x.y", "z"));
  EXPECT_EQ(verify.tolerance, 0.01);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"verify", "--requests", "r"},
                                                {"verify", "--against", "a"},
                                                {"verify", "--against", "a", "--requests", "r", "--tolerance", "-1"},
                                                {"verify", "--against", "a", "--requests", "r", "--concurrency", "0"}})
    EXPECT_EQ(parsed<ParsedAnswer>(wrong).exit_code, ExitCode::kUsage);
}

}  // namespace
}  // namespace modelmill

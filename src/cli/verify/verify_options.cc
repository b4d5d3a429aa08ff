#include "cli/verify/verify_options.h"

#include <CLI/Validators.hpp>
#include <string>

#include "cli/server_options.h"

namespace modelmill {

void define_verify_options(CLI::App& app, OptionSet& options, VerifyCommand& command) {
  app.add_option("--against", command.against, "The server whose answers are right: http://HOST:PORT")
      ->type_name("URL")
      ->required();
  app.add_option("--with", command.with, "The server that is to answer the same [http://127.0.0.1:8000]")
      ->type_name("URL");
  options
      .takes_file(app.add_option("--requests", command.requests,
                                 "What is sent: lines of JSON, or a HAR file; '-' is standard input"))
      ->type_name("FILE")
      ->required();
  app.add_option("--tolerance", command.tolerance,
                 "By how much numbers with a fraction may differ: as such, and as a part of the right one [1e-05]")
      ->type_name("NUMBER")
      ->check(CLI::Range(0.0, 1.0).description(""));
  app.add_option("--ignore", command.ignored,
                 "A place in answers that may differ, such as outputs[*].parameters; may be repeated")
      ->type_name("PLACE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--repeat", command.repeat, "How often all requests are sent to measure the speed; 0: not at all [3]")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000).description(""));
  app.add_option("--concurrency", command.concurrency, "How many of them are under way at a time then [1]")
      ->type_name("N")
      ->check(CLI::Range(1, 1'024).description(""));
  add_ca_option(app, options, command.ca);
  options
      .takes_file(app.add_option("--token-file", command.token_file,
                                 "Send the server of --with the first token of this file; else $MODELMILL_TOKEN, if it "
                                 "is set"))
      ->type_name("FILE");
  app.add_flag("--json", command.json, "Print JSON");
  options.add_seconds(app, "--timeout", command.timeout, "How long a server may take to answer");
}

}  // namespace modelmill

// The options of an experiment program, and its main.
#include <algorithm>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>
#include <elk/data/load.hpp>
#include <lab/command_line.hpp>
#include <lab/distributed/ranks.hpp>
#include <lab/program.hpp>
#include <lab/runner.hpp>
#include <lab/shell.hpp>
#include <lab/study.hpp>

namespace elk::lab {

namespace po = boost::program_options;
using nlohmann::ordered_json;

namespace {

struct Line {
  Study::Options options;
  std::string help;
};

Line parse(int argc, char** argv, const Question& question) {
  Line line;
  Study::Options& o = line.options;
  std::string config_file;
  bool print_config = false;
  std::vector<std::string> lists(question.grids.size());
  const auto number = [](std::int64_t& field) { return po::value(&field)->value_name("N"); };
  po::options_description experiment("The experiment"), running("Running"), all;
  auto add = experiment.add_options();
  const bool own = question.run != nullptr;  // whose data and configurations are no business of ours
  if (!own) {
    add("protocol", po::value(&o.protocol)->value_name("P"),
        "sound (default): mean gradients, held-out examples choose, the test set is used once; or paper: the "
        "study's own "
        "configuration");
    add("dataset", po::value(&o.dataset)->value_name("NAME"),
        fmt::format("digits (built in), mnist, fashion-mnist or cifar-10; default {}, with --smoke digits",
                    question.dataset)
            .c_str());
  }
  add("seeds", number(o.seeds),
      "runs of every cell, with seeds from --seed on; default 5, with --quick 3, --smoke 2");
  add("seed", number(o.seed), "the first seed; default 100, the study's");
  add("epochs", number(o.epochs), "passes over the training examples; default: depends on the question");
  for (std::size_t i = 0; i < question.grids.size(); ++i)
    add(question.grids[i].name, po::value(&lists[i])->value_name("A,B,..."), question.grids[i].help);
  add("quick", po::bool_switch(&o.quick), "about a minute: fewer cells, examples, epochs and seeds");
  add("smoke", po::bool_switch(&o.smoke), "seconds: very little of everything, only to see that it works");
  add("full", po::bool_switch(&o.full), "the largest grid there is");
  add("stop-hopeless", po::bool_switch(&o.stop_hopeless),
      "in searches for learning rates, end a run early when its forecast cannot beat the rates before it");
  add = running.add_options();
  add("dry-run", po::bool_switch(&o.dry_run), "print the cells and the time they may take, and end");
  add("jobs", number(o.jobs),
      "runs at once, each on one thread; default: the number of processors; results do not depend on it");
  add("out-dir", po::value(&o.out_dir)->value_name("DIR"),
      fmt::format("folder of the runs, the plots and the report; default runs/{}. Runs that it has are not "
                  "made again",
                  question.program)
          .c_str());
  add("from", po::value(&o.from)->value_name("FILE"),
      "a results.json: take its runs and make the report from them again; only missing runs are made");
  if (!own)
    add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
        "where the data files are; default: $ELK_DATA_DIR, or data");
  add("moving-average", number(o.moving_average), "smooth the lines of plots over N points");
  add("config", po::value(&config_file)->value_name("FILE"),
      "read options from a JSON file; options given here override them");
  add("print-config", po::bool_switch(&print_config), "print the options as JSON and end");
  add("quiet", po::bool_switch(&o.quiet), "no progress, only the result");
  add("json", po::bool_switch(&o.json), "print results.json in place of tables");
  add("help", "print this and end");
  add("version", "print the version and end");
  all.add(experiment).add(running);

  po::variables_map values;
  const auto others = parse_options({argv + std::min(argc, 1), argv + argc}, all, values);
  if (!others.empty()) fail<UsageError>("unexpected argument \"{}\"", others.front());
  if (values.count("config") > 0) store_config_file(values["config"].as<std::string>(), all, values);
  po::notify(values);
  line.help = help_or_version(
      values,
      fmt::format("Usage: {}{} [options]\n\n{}\n{}{}\n", own ? "" : "./elk ",
                  fmt::join(question.command(), " "), question.question, question.more,
                  *question.more == '\0' ? "" : "\n"),
      {&experiment, &running},
      "\nExit codes: 0 done, 1 a run failed, 2 wrong usage, 130 or 143 stopped by a signal; the same command "
      "continues.\n");
  if (!line.help.empty()) return line;

  if (o.protocol != "sound" && o.protocol != "paper")
    fail<UsageError>("--protocol: expected sound, paper, got \"{}\"", o.protocol);
  if (o.quick + o.smoke + o.full > 1) fail<UsageError>("--quick, --smoke and --full: give one of them");
  if (values.count("seeds") == 0) o.seeds = o.smoke ? 2 : o.quick ? 3 : 5;
  if (values.count("jobs") == 0) o.jobs = available_processors();
  if (o.dataset.empty()) o.dataset = own ? "its own" : o.smoke ? "digits" : question.dataset;
  const auto& known = dataset_names();
  // With a word for several as its default, a program takes several and checks them itself.
  const auto known_name = [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  if (!own && known_name(question.dataset) && !known_name(o.dataset))
    fail<UsageError>("--dataset: expected {}, got \"{}\"", fmt::join(known, ", "), o.dataset);
  const auto given_in_range = [&](const char* option, std::int64_t value, double low, double high) {
    if (values.count(option) > 0) in_range(option, static_cast<double>(value), low, high);
  };
  given_in_range("seeds", o.seeds, 1, 10000);
  given_in_range("seed", o.seed, 0, 4294957295);
  given_in_range("epochs", o.epochs, 1, 1e6);
  given_in_range("jobs", o.jobs, 1, 256);
  given_in_range("moving-average", o.moving_average, 1, 1000);
  if (o.out_dir.empty()) o.out_dir = fmt::format("runs/{}", question.program);
  o.data_dir = data_folder(o.data_dir);
  for (std::size_t i = 0; i < question.grids.size(); ++i)
    if (values.count(question.grids[i].name) > 0) o.grids.emplace_back(question.grids[i].name, lists[i]);
  if (print_config) {
    ordered_json object;
    if (!own) object.update({{"protocol", o.protocol}, {"dataset", o.dataset}});
    object.update({{"seeds", o.seeds}, {"seed", o.seed}});
    if (o.epochs > 0) object["epochs"] = o.epochs;
    for (const auto& [grid, list] : o.grids) object[grid] = list;
    object.update({{"quick", o.quick}, {"smoke", o.smoke}, {"full", o.full}});
    if (o.stop_hopeless) object["stop-hopeless"] = true;
    line.help = object.dump(2) + "\n";
  }
  return line;
}

}  // namespace

bool take_flag(int& argc, char** argv, std::string_view flag) {
  char** const found = std::find(argv, argv + argc, flag);
  if (found == argv + argc) return false;
  std::copy(found + 1, argv + argc + 1, found);  // with the null behind the last
  --argc;
  return true;
}

int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&)) {
  if (question.run) default_launcher.clear();
  const auto lead = [&](int count, char** words, Ranks& ranks) -> int {
    Line line = parse(count, words, question);
    if (!line.help.empty()) {
      fmt::print("{}", line.help);
      return exit_done;
    }
    catch_signals();
    if (ranks.size() > 1) {
      line.options.crew = &ranks;
      line.options.jobs = ranks.size() - 1;
    }
    std::vector<std::string> command = question.command();
    command.insert(command.end(), words + 1, words + count);
    if (!line.options.from.empty()) command = without_places(std::move(command));
    Study study(question, line.options, elk_command(command, question.run ? "" : "./elk"));
    try {
      ask(study);
    } catch (const Study::DryRunDone&) {
      return exit_done;
    } catch (const Runner::Stopped&) {
      say(fmt::format(
          "{}: stopped; what was complete is kept in {}, and the same command continues from there\n",
          question.program, line.options.out_dir));
      return 128 + stop_signal();
    }
    return study.finish();
  };
  return run_on_ranks(argc, argv, [&](int count, char** words, Ranks& ranks) -> int {
    if (ranks.first()) {
      const int code = lead(count, words, ranks);
      dismiss(ranks, question.program);
      return code;
    }
    catch_signals();
    serve(ranks, *Study::make_work(question, parse(count, words, question).options));
    return exit_done;
  });
}

}  // namespace elk::lab

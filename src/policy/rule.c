/* allow = read write on inbox, archive */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "policy/model.h"

#define WORD_MAX 64

static void unknown_action(struct policy_load *load, int line, const char *word)
{
	const char *nearest = config_nearest(word, policy_action_words());

	if (strchr(word, ',') != NULL)
		policy_complain(load, line, "actions are separated by blanks, not by ','");
	else if (nearest != NULL)
		policy_complain(load, line, "unknown action '%s' (did you mean '%s'?)", word,
				nearest);
	else
		policy_complain(load, line, "unknown action '%s'", word);
}

/* The words in front of "on"; *rest is left behind it, or NULL if there is none. */
static unsigned int parse_actions(struct policy_load *load, int line, const char *value,
				  const char **rest)
{
	unsigned int actions = 0;
	char word[WORD_MAX + 1];

	*rest = NULL;
	while (*(value += strspn(value, " \t")) != '\0') {
		size_t len = strcspn(value, " \t");
		unsigned int more;

		snprintf(word, sizeof(word), "%.*s", (int)(len > WORD_MAX ? WORD_MAX : len), value);
		value += len;
		if (strcmp(word, "on") == 0) {
			*rest = value + strspn(value, " \t");
			return actions;
		}
		more = policy_actions_of_word(word);
		if (more == 0)
			unknown_action(load, line, word);
		actions |= more;
	}
	return actions;
}

void policy_add_rule(struct policy_load *load, int line, bool is_deny, const char *value)
{
	struct policy *policy = load->policy;
	const char *word = is_deny ? "deny" : "allow";
	struct policy_rule *rules, *rule;
	const char *class_list;
	unsigned int actions = parse_actions(load, line, value, &class_list);

	if (class_list == NULL || *class_list == '\0' || actions == 0) {
		policy_complain(load, line, "%s is not written 'ACTIONS on CLASSES'", word);
		return;
	}
	if (policy->rule_count == POLICY_RULES_MAX) {
		policy_complain(load, line, "more than %d rules", POLICY_RULES_MAX);
		return;
	}
	rules = policy_grow(load, policy->rules, policy->rule_count, &policy->rule_room,
			    sizeof(*rules));
	if (rules == NULL)
		return;
	policy->rules = rules;
	rule = &rules[policy->rule_count];
	if (asprintf(&rule->text, "%s %s", word, value) < 0) {
		rule->text = NULL;
		load->no_memory = true;
		return;
	}
	rule->class_list = rule->text + strlen(word) + 1 + (class_list - value);
	rule->line = line;
	rule->role = (int)policy->role_count - 1;
	rule->is_deny = is_deny;
	rule->actions = actions;
	policy->rule_count++;
	policy->roles[rule->role].rule_count++;
}

static void unknown_class(struct policy_load *load, int line, const char *name)
{
	const char *words[POLICY_CLASSES_MAX + 1];
	const char *nearest;
	size_t count = 0;

	for (; count < load->policy->class_count; count++)
		words[count] = load->policy->classes[count].class.name;
	words[count] = NULL;
	nearest = config_nearest(name, words);
	if (nearest != NULL)
		policy_complain(load, line, "unknown class '%s' (did you mean '%s'?)", name,
				nearest);
	else
		policy_complain(load, line, "unknown class '%s'", name);
}

static size_t count_commas(const char *list)
{
	size_t count = 0;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

static bool has_class(const struct policy_rule *rule, int class_index)
{
	for (size_t i = 0; i < rule->class_count; i++)
		if (rule->classes[i] == class_index)
			return true;
	return false;
}

static void resolve_rule(struct policy_load *load, struct policy_rule *rule)
{
	const char *list = rule->class_list;
	char name[WORD_MAX + 1];
	const char *piece;
	size_t len;

	rule->classes = calloc(count_commas(list) + 1, sizeof(rule->classes[0]));
	if (rule->classes == NULL) {
		load->no_memory = true;
		return;
	}
	while (policy_next_piece(&list, ',', &piece, &len)) {
		int class_index;

		snprintf(name, sizeof(name), "%.*s", (int)(len > WORD_MAX ? WORD_MAX : len), piece);
		class_index = policy_find_class(load->policy, name);
		if (len == 0)
			policy_complain(load, rule->line, "an empty name among the classes");
		else if (class_index < 0)
			unknown_class(load, rule->line, name);
		else if (!has_class(rule, class_index))
			rule->classes[rule->class_count++] = (uint16_t)class_index;
	}
}

void policy_resolve_rules(struct policy_load *load)
{
	struct policy *policy = load->policy;

	for (size_t i = 0; i < policy->rule_count && !load->no_memory; i++)
		resolve_rule(load, &policy->rules[i]);
}

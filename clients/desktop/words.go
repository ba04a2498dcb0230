package desktop

import (
	"cmp"
	"fmt"

	"trio/ranking"
)

// inSpanish are the lines of a device by what they say in English. Errors and hints are English.
var inSpanish = map[string]string{
	"what you do: did N [OUTCOME], later N, not N":        "lo que haces: did N [RESULTADO], later N, not N",
	"%s with %s logged":                                   "anotado: %s con %s",
	"%s with %s logged, as suggested":                     "anotado: %s con %s, como se propuso",
	"not this: %s (%s)":                                   "esto no: %s (%s)",
	"not today: %s (%s)":                                  "hoy no: %s (%s)",
	"%s may be suggested again":                           "%s puede volver a proponerse",
	"%s is not suggested before %s":                       "%s no se propone antes del %s",
	"%s stays a %s: the log has an order or an enrolment": "%s sigue como %s: hay un pedido o un alta en el registro",
	"%s is now a %s":                                      "%s figura ahora como %s",
	"whether %s may be contacted is not known":            "no se sabe si se puede contactar con %s",
	"%s may be contacted":                                 "se puede contactar con %s",
	"%s is not suggested any more":                        "%s ya no se propone",
	"promise to %s for %s noted":                          "anotado: prometido a %s para el %s",
	"when next with %s? log promise %s DAY notes it":      "¿cuándo otra vez con %s? log promise %s DÍA lo anota",
	"%s with %s of %s: %s":                                "%s con %s del %s: %s",
	"taken back: %s, of %s":                               "retirado: %s, de %s",
	"%s: from tomorrow, today is done":                    "%s: desde mañana, hoy ya está cumplido",
	"no day of the week is a rest day":                    "ningún día de la semana es de descanso",
	"%s is a day like others":                             "%s es un día como otros",
	"%s is a rest day":                                    "%s es día de descanso",
	"rest days of each week: %s":                          "descanso cada semana: %s",
	"Monday":                                              "lunes", "Tuesday": "martes", "Wednesday": "miércoles", "Thursday": "jueves", "Friday": "viernes", "Saturday": "sábado", "Sunday": "domingo",
	"the server is not reached: this is as of %s": "no se llega al servidor: esto es de %s",
	"your company shows no boards":                "tu empresa no muestra tableros",
	"+ %d noted by hand":                          "+ %d a mano",
	"noted by hand":                               "a mano",
	"nobody is on a board yet: the first act of somebody puts them there": "todavía no hay nadie en los tableros: lo primero que se haga cuenta",
	"you are on no board: only you see your numbers":                      "no estás en ningún tablero: solo tú ves tus números",
	"RECOGNISED in the last seven days":                                   "RECONOCIDOS en los últimos siete días",
	"your company shows no report of teams":                               "tu empresa no muestra informes de equipos",
	"you sponsor nobody yet":                                              "todavía no patrocinas a nadie",
	"%s keeps their numbers private":                                      "%s guarda sus números para sí",
	"%s has synced nothing yet":                                           "%s aún no ha sincronizado",
	"company":                                                             "empresa", "team": "equipo", "downline": "red", "week": "semana", "month": "mes",
	"call":               "llamada",
	"text":               "mensaje",
	"email":              "correo",
	"meet":               "encuentro",
	"ask":                "propuesta de pedido",
	"share":              "publicación",
	"learn":              "aprendizaje",
	"present":            "presentación",
	"promise":            "promesa",
	"result":             "resultado",
	"skipped":            "hoy no",
	"dismissed":          "esto no",
	"prospect":           "prospecto",
	"customer":           "cliente",
	"promoter":           "promotor",
	"no_answer":          "no contestó",
	"not_ready":          "todavía no",
	"answered":           "hablaron",
	"replied":            "respondió",
	"moved":              "un paso adelante",
	"enrolled":           "se inscribió",
	"opted out":          "no quiere que se le contacte",
	"%s is in your book": "%s está en tu agenda",
}

// inEnglish are the words of the log that people would not say.
var inEnglish = map[string]string{
	"email": "e-mail", "meet": "meeting", "learn": "learning", "present": "presentation",
	"skipped": "not today", "dismissed": "not this", "no_answer": "no answer", "not_ready": "not ready yet", "answered": "talked",
	"moved": "a step forward",
}

// word is a word of the log in the member's language.
func (a *app) word(s string) string {
	if !spanish(a.lang) {
		return cmp.Or(inEnglish[s], s)
	}
	return cmp.Or(inSpanish[s], s)
}

// outcome is what came of a touch; "" when that is not known.
func (a *app) outcome(o ranking.Outcome) string {
	if o == ranking.NoOutcome {
		return ""
	}
	return a.word(o.String())
}

// say prints a line in the member's language.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.out, a.word(format)+"\n", args...)
}

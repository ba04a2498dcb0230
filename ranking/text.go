package ranking

import (
	"strconv"
	"strings"
)

// This file holds every word that ranking can say, in English and Spanish. In messages, {name} stands for the contact's
// first name and {sender} for the promoter's; the caller fills them in.

// tongue picks Spanish for "es" and its regions ("es-MX"), English for all else.
func tongue(lang string) int {
	if lang == "es" || strings.HasPrefix(lang, "es-") || strings.HasPrefix(lang, "es_") {
		return 1
	}
	return 0
}

// phrase is one text in each language.
type phrase [2]string

// wording is one content: what to write, and how to open a conversation by voice.
type wording struct {
	write phrase
	say   phrase
}

// Wording returns the words for a step, with the placeholders {name} and {sender} to be filled in: a message for Text
// and Email, an opening sentence for Call and InPerson. It is empty for a content that the trigger does not have.
func (pb *Playbook) Wording(t TriggerID, ch Channel, content uint16, lang string) string {
	if t >= NumTriggers || int(content) >= len(pb.Rules[t].Contents) || int(content) >= len(wordings[t]) {
		return ""
	}
	w := &wordings[t][content]
	if ch == Text || ch == Email {
		return w.write[tongue(lang)]
	}
	return w.say[tongue(lang)]
}

// Step returns the step to take, as an imperative with the placeholder {name}: "Text {name} about a refill".
func (pb *Playbook) Step(t TriggerID, ch Channel, lang string) string {
	if t >= NumTriggers || ch >= NumChannels {
		return ""
	}
	l := tongue(lang)
	return strings.ReplaceAll(verbs[ch][l], "{why}", purposes[t][l])
}

var verbs = [NumChannels]phrase{
	Call:     {"Call {name} {why}", "Llama a {name} {why}"},
	Text:     {"Text {name} {why}", "Escribe a {name} {why}"},
	Email:    {"E-mail {name} {why}", "Envía un correo a {name} {why}"},
	InPerson: {"See {name} {why}", "Ve a ver a {name} {why}"},
}

var purposes = [NumTriggers]phrase{
	NewLead:        {"to say hello", "para saludar"},
	WebinarFollow:  {"about the webinar and offer an introduction", "por el webinar y ofrece una presentación"},
	WebinarAbsent:  {"about another date for the webinar", "por otra fecha para el webinar"},
	NextStep:       {"with an easy next step", "con un paso sencillo"},
	Watched:        {"about what caught the eye", "por lo que le llamó la atención"},
	PromisedFollow: {"as you promised", "como prometiste"},
	Nurture:        {"just to catch up", "para ponerse al día"},
	RefillDue:      {"about a refill", "por un nuevo pedido"},
	Lapsed:         {"to ask how things are going", "para saber cómo le va"},
	FirstOrder:     {"to say thanks and lend a hand", "para dar las gracias y echar una mano"},
	AskPromote:     {"about sharing what works", "sobre compartir lo que le funciona"},
	CheckIn:        {"to see how it is going", "para ver cómo va todo"},
}

var wordings = [NumTriggers][]wording{
	NewLead: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. Thanks for your interest! I'd love to hear what caught your eye. When is a good time for a quick call?",
				"Hola {name}, soy {sender}. ¡Gracias por tu interés! Me encantaría saber qué te llamó la atención. ¿Cuándo te va bien una llamada corta?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Thanks for reaching out! What made you curious?",
				"Hola {name}, soy {sender}. ¡Gracias por ponerte en contacto! ¿Qué te dio curiosidad?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. I tried to reach you and I don't want to crowd you. Is text easier, or is there a better time to talk?",
				"Hola {name}, soy {sender}. Intenté hablar contigo y no quiero molestarte. ¿Prefieres por mensaje o hay un mejor momento para hablar?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Did I catch you at a good moment? I just wanted to say hello and answer any questions.",
				"Hola {name}, soy {sender}. ¿Te llamo en buen momento? Solo quería saludarte y resolver cualquier duda.",
			},
		},
		{
			write: phrase{
				"Hi {name}, it's {sender}. No rush at all. Whenever you'd like to know more, just reply here and I'll be glad to help.",
				"Hola {name}, soy {sender}. Sin ninguna prisa. Cuando quieras saber más, contéstame por aquí y con gusto te ayudo.",
			},
			say: phrase{
				"Hi {name}, {sender} here. I know days get full, so just one question: what would help you most right now?",
				"Hola {name}, soy {sender}. Sé que los días vuelan, así que solo una pregunta: ¿qué es lo que más te ayudaría ahora?",
			},
		},
	},
	WebinarFollow: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. So glad you made it to the overview! I'd love to introduce you to someone whose start was a lot like yours. Do you have a moment today?",
				"Hola {name}, soy {sender}. ¡Qué bueno que viste la presentación! Me encantaría presentarte a alguien que empezó como tú. ¿Tienes un momento hoy?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Thanks for joining the overview! What did you like best? I'd love to introduce you to someone on our team. Do you have a moment today?",
				"Hola {name}, soy {sender}. ¡Gracias por venir a la presentación! ¿Qué fue lo que más te gustó? Me encantaría presentarte a alguien del equipo. ¿Tienes un momento hoy?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. The overview covers a lot in a short time. If any question stayed with you, I can bring in a friend who knows the answers. Would a few minutes today suit you?",
				"Hola {name}, soy {sender}. La presentación cuenta mucho en poco tiempo. Si te quedó alguna pregunta, puedo sumar a una amiga que conoce las respuestas. ¿Te van bien unos minutos hoy?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Which question stayed with you after the overview? I'd gladly introduce you to someone who can answer it. Is now a good moment?",
				"Hola {name}, soy {sender}. ¿Qué pregunta te quedó de la presentación? Con gusto te presento a alguien que puede responderla. ¿Es buen momento?",
			},
		},
	},
	WebinarAbsent: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. I saved you a seat at the webinar and life happens! Shall I send you the next date, or the recording?",
				"Hola {name}, soy {sender}. Te guardé un lugar en el webinar y ya sé cómo son los días. ¿Te mando la próxima fecha o la grabación?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. No worries about the webinar, it happens to all of us. Would the next date or the recording suit you better?",
				"Hola {name}, soy {sender}. No te preocupes por el webinar, a todos nos pasa. ¿Te viene mejor la próxima fecha o la grabación?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. If the webinar isn't your thing, I can tell you the main points in five minutes. Which day works for you?",
				"Hola {name}, soy {sender}. Si el webinar no es lo tuyo, te cuento lo principal en cinco minutos. ¿Qué día te va bien?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I can give you the five-minute version of the webinar whenever you like. Would now work?",
				"Hola {name}, soy {sender}. Te puedo contar el webinar en cinco minutos cuando quieras. ¿Te va bien ahora?",
			},
		},
	},
	NextStep: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. Thanks for being honest that it's not the moment. May I send you a short video, to watch whenever it suits you?",
				"Hola {name}, soy {sender}. Gracias por decirme con franqueza que no es el momento. ¿Te mando un video corto, para verlo cuando te venga bien?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. No decision needed today. Could I send you a short video, so you can look at it in your own time?",
				"Hola {name}, soy {sender}. Hoy no hay nada que decidir. ¿Te mando un video corto, para que lo veas con calma?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. There's an easy webinar this week where you can just listen. Shall I save you a seat? If not, that's fine too.",
				"Hola {name}, soy {sender}. Esta semana hay un webinar sencillo en el que solo hay que escuchar. ¿Te guardo un lugar? Si no, también está bien.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. We have a webinar where you can listen in with your camera off. Would you like me to save you a seat?",
				"Hola {name}, soy {sender}. Tenemos un webinar en el que puedes escuchar con la cámara apagada. ¿Quieres que te guarde un lugar?",
			},
		},
	},
	Watched: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. Thanks for taking a look! What stood out to you?",
				"Hola {name}, soy {sender}. ¡Gracias por echarle un vistazo! ¿Qué te llamó la atención?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Thanks for taking a look! What did you like best?",
				"Hola {name}, soy {sender}. ¡Gracias por echarle un vistazo! ¿Qué fue lo que más te gustó?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. Did it raise any questions? I'm happy to answer them, big or small.",
				"Hola {name}, soy {sender}. ¿Te surgió alguna duda? Con gusto te la resuelvo, grande o pequeña.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I wondered whether anything you saw raised a question. I'm happy to help.",
				"Hola {name}, soy {sender}. Pensé que quizá te surgió alguna duda con lo que viste. Con gusto te ayudo.",
			},
		},
		{
			write: phrase{
				"Hi {name}, it's {sender}. I found something else you may like, along the same lines. Shall I send it over?",
				"Hola {name}, soy {sender}. Encontré algo más que te puede gustar, en la misma línea. ¿Te lo mando?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I came across something along the same lines that made me think of you. May I tell you about it?",
				"Hola {name}, soy {sender}. Encontré algo en la misma línea que me hizo pensar en ti. ¿Te cuento?",
			},
		},
	},
	PromisedFollow: {
		{
			write: phrase{
				"Hi {name}, it's {sender}, getting back to you as promised. Is this a good moment?",
				"Hola {name}, soy {sender}. Te escribo como quedamos. ¿Es buen momento?",
			},
			say: phrase{
				"Hi {name}, it's {sender}, calling back as promised. Is this a good moment?",
				"Hola {name}, soy {sender}. Te llamo como quedamos. ¿Es buen momento?",
			},
		},
	},
	Nurture: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. You crossed my mind today. How have you been?",
				"Hola {name}, soy {sender}. Hoy me acordé de ti. ¿Cómo has estado?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. You crossed my mind, so I thought I'd call. How have you been?",
				"Hola {name}, soy {sender}. Me acordé de ti y quise llamarte. ¿Cómo has estado?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. It's been a while! What's new with you?",
				"Hola {name}, soy {sender}. ¡Cuánto tiempo! ¿Qué hay de nuevo?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. It's been a while and I wanted to hear how you are.",
				"Hola {name}, soy {sender}. Hace tiempo que no hablamos y quería saber cómo estás.",
			},
		},
		{
			write: phrase{
				"Hi {name}, it's {sender}. I read something today that made me think of you. Would you like me to share it?",
				"Hola {name}, soy {sender}. Hoy leí algo que me hizo pensar en ti. ¿Te lo comparto?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I read something that made me think of you. Do you have a minute?",
				"Hola {name}, soy {sender}. Leí algo que me hizo pensar en ti. ¿Tienes un minuto?",
			},
		},
	},
	RefillDue: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. How is everything going with your last order? If you're running low, I'm happy to set up a refill.",
				"Hola {name}, soy {sender}. ¿Cómo te va con tu último pedido? Si ya te queda poco, con gusto te preparo otro.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. How are you enjoying your last order? Would a refill help?",
				"Hola {name}, soy {sender}. ¿Qué tal te va con tu último pedido? ¿Te preparo otro?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. I was wondering how you're liking your last order. Would you like a refill, or is there plenty left?",
				"Hola {name}, soy {sender}. Quería saber qué te va pareciendo tu último pedido. ¿Quieres que te lo reponga o todavía tienes?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. How is your last order working out? Is it time for a refill, or do you have plenty left?",
				"Hola {name}, soy {sender}. ¿Cómo te ha ido con tu último pedido? ¿Ya toca reponer o todavía tienes?",
			},
		},
	},
	Lapsed: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. It's been a while and I'd love to hear how you're doing. Is there anything I can help you with?",
				"Hola {name}, soy {sender}. Hace tiempo que no sé de ti y me encantaría saber cómo estás. ¿Te puedo ayudar en algo?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. It's been a while, so I wanted to hear how you are and how everything worked out for you.",
				"Hola {name}, soy {sender}. Hace tiempo que no hablamos y quería saber cómo estás y cómo te fue con todo.",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. Honest question: was there something about your last order I could make better? I'd really like to know.",
				"Hola {name}, soy {sender}. Una pregunta sincera: ¿hay algo de tu último pedido que pueda mejorar? Me gustaría mucho saberlo.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I'd value your honest view: how did your last order work for you?",
				"Hola {name}, soy {sender}. Me importa tu opinión sincera: ¿cómo te funcionó tu último pedido?",
			},
		},
	},
	FirstOrder: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. Thank you for your first order! Did everything arrive as it should? I'm here if you'd like a tip for getting started.",
				"Hola {name}, soy {sender}. ¡Gracias por tu primer pedido! ¿Llegó todo bien? Aquí estoy si quieres algún consejo para empezar.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. Thank you for your first order! Did it all arrive well, and can I help you get started?",
				"Hola {name}, soy {sender}. ¡Gracias por tu primer pedido! ¿Llegó todo bien? ¿Te ayudo a empezar?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. How are the first days going? Any question is welcome.",
				"Hola {name}, soy {sender}. ¿Qué tal los primeros días? Cualquier pregunta es bienvenida.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. How have the first days been? I'm glad to help with anything.",
				"Hola {name}, soy {sender}. ¿Qué tal los primeros días? Con gusto te ayudo en lo que sea.",
			},
		},
	},
	AskPromote: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. You know our products so well by now. Have you ever thought of sharing them with friends? I'd be glad to tell you how it works, no strings attached.",
				"Hola {name}, soy {sender}. Ya conoces muy bien nuestros productos. ¿Has pensado en compartirlos con tus amigos? Con gusto te cuento cómo funciona, sin compromiso.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I love how well you know our products. Would you be curious to hear how sharing them works?",
				"Hola {name}, soy {sender}. Me encanta lo bien que conoces nuestros productos. ¿Te gustaría saber cómo funciona compartirlos?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. Friends probably ask you what you use. If you'd ever like that to earn you something, I can show you in ten minutes. And if not, I'm just happy you enjoy it.",
				"Hola {name}, soy {sender}. Seguro que tus amigos te preguntan qué usas. Si algún día quieres que eso te dé un ingreso, te lo muestro en diez minutos. Y si no, me alegra que lo disfrutes.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. When friends ask what you use, what do you tell them? I can show you how others make something of that.",
				"Hola {name}, soy {sender}. Cuando tus amigos te preguntan qué usas, ¿qué les cuentas? Te puedo mostrar cómo otros lo aprovechan.",
			},
		},
	},
	CheckIn: {
		{
			write: phrase{
				"Hi {name}, it's {sender}. How is your week going? If anything is in your way, tell me and we'll sort it out together.",
				"Hola {name}, soy {sender}. ¿Cómo va tu semana? Si algo te lo está poniendo difícil, cuéntame y lo resolvemos juntos.",
			},
			say: phrase{
				"Hi {name}, it's {sender}. How are things going? What is one thing I could help you with this week?",
				"Hola {name}, soy {sender}. ¿Cómo va todo? ¿En qué te puedo ayudar esta semana?",
			},
		},
		{
			write: phrase{
				"Hi {name}, {sender} here. I'm glad you're on the team. Shall we plan one small step for this week together?",
				"Hola {name}, soy {sender}. Me alegra que estés en el equipo. ¿Planeamos juntos un pequeño paso para esta semana?",
			},
			say: phrase{
				"Hi {name}, it's {sender}. I'd love to catch up. What went well lately, and what comes next?",
				"Hola {name}, soy {sender}. Me encantaría ponernos al día. ¿Qué te salió bien últimamente y qué viene ahora?",
			},
		},
	},
}

// In the sentences of reasons, {0} {1} {2} stand for an argument as a number, {ago} for the first argument as "today",
// "yesterday", "5 days ago", {ago1} for the second, {days} and {days1} for "1 day", "5 days", {by} for a channel.
var sentences = [NumReasons]phrase{
	CapturedAgo:    {"new contact, added {ago}", "contacto nuevo, añadido {ago}"},
	FormAgo:        {"filled in your form {ago}", "rellenó tu formulario {ago}"},
	AttendedAgo:    {"attended the webinar {ago}", "asistió al webinar {ago}"},
	AbsentAgo:      {"signed up for the webinar that took place {ago}", "se apuntó al webinar que fue {ago}"},
	NotReadyAgo:    {"said “not yet” {ago}: a small next step may suit", "dijo «todavía no» {ago}: puede venir bien un paso pequeño"},
	WatchedAgo:     {"watched the video {ago}", "vio el video {ago}"},
	ClickedAgo:     {"opened what you shared {ago}", "abrió lo que compartiste {ago}"},
	PromisedAgo:    {"you promised to get back {ago}", "quedaste en contactar {ago}"},
	QuietDays:      {"last in touch {ago}", "último contacto {ago}"},
	NeverContacted: {"added {ago}, not yet greeted", "añadido {ago}, todavía sin saludar"},
	UsualCycle:     {"usually every {days}, last {ago1}", "suele pedir cada {days}, la última vez {ago1}"},
	CompanyCycle:   {"customers usually reorder after {days}, last order {ago1}", "los clientes suelen repetir a los {days}, último pedido {ago1}"},
	FirstOrderAgo:  {"first order {ago}", "primer pedido {ago}"},
	LoyalOrders:    {"ordered on {days}, last {ago1}", "ha pedido en {days}, la última vez {ago1}"},
	AnswersBy:      {"answers {by}: {1} of {2}", "responde {by}: {1} de {2}"},
	SpokeAgo:       {"you were in touch {ago}", "hablaron {ago}"},
	MovedAgo:       {"took a step forward {ago}", "dio un paso adelante {ago}"},
	Interest:       {"other signs of interest in the last {days1}: {0}", "otras señales de interés en los últimos {days1}: {0}"},
	OrderLikely:    {"{0} of 100 such customers order within {days1}", "{0} de cada 100 clientes así piden en {days1}"},
	TriesSoFar:     {"tries so far: {0}", "intentos hasta ahora: {0}"},
	ByChannel:      {"the way chosen: {by}", "el medio elegido: {by}"},
	ByContent:      {"the wording chosen", "las palabras elegidas"},
}

var byChannel = [NumChannels]phrase{
	Call:     {"calls", "llamadas"},
	Text:     {"texts", "mensajes"},
	Email:    {"e-mails", "correos"},
	InPerson: {"in person", "en persona"},
}

// Sentence writes the reason out in English or Spanish, with its numbers and without a full stop. It is empty for an
// unknown code.
func (r Reason) Sentence(lang string) string {
	if r.Code >= NumReasons {
		return ""
	}
	l := tongue(lang)
	s := sentences[r.Code][l]
	if !strings.Contains(s, "{") {
		return s
	}
	by := ""
	if ch := r.Args[0]; ch >= 0 && ch < int64(NumChannels) {
		by = byChannel[ch][l]
	}
	return strings.NewReplacer(
		"{0}", strconv.FormatInt(r.Args[0], 10),
		"{1}", strconv.FormatInt(r.Args[1], 10),
		"{2}", strconv.FormatInt(r.Args[2], 10),
		"{ago}", ago(r.Args[0], l), "{ago1}", ago(r.Args[1], l),
		"{days}", days(r.Args[0], l), "{days1}", days(r.Args[1], l),
		"{by}", by,
	).Replace(s)
}

func days(n int64, l int) string {
	unit := phrase{" days", " días"}
	if n == 1 {
		unit = phrase{" day", " día"}
	}
	return strconv.FormatInt(n, 10) + unit[l]
}

func ago(n int64, l int) string {
	switch {
	case n == 0:
		return phrase{"today", "hoy"}[l]
	case n == 1:
		return phrase{"yesterday", "ayer"}[l]
	case l == 1:
		return "hace " + days(n, l)
	default:
		return days(n, l) + " ago"
	}
}

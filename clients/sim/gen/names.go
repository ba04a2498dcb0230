package gen

import "fmt"

// market is where a person lives: names that are common there, and telephone numbers that are nobody's.
type market struct {
	code     string // calling code
	language string
	zone     string
	offset   int // minutes east of UTC, standard time
	number   func(*stream) string
	given    []string
	family   []string
	double   bool // two family names
}

// areas are North American area codes; in each, 555-0100 to 555-0199 are kept for fiction.
var areas = []int{
	201, 202, 206, 210, 212, 213, 214, 215, 216, 303, 305, 310, 312, 313, 317, 401, 402, 404, 407, 410, 412, 414, 415, 502, 503, 504, 512, 513, 515, 602,
	612, 615, 617, 619, 702, 704, 713, 716, 801, 804, 808, 813, 816, 901, 907, 913, 916, 919,
}

func american(s *stream) string { return fmt.Sprintf("+1%d55501%02d", pick(s, areas), s.n(100)) }

var markets = []market{
	{
		code: "+1", language: "en", zone: "America/New_York", offset: -300, number: american,
		given:  words("Joan Marcus Denise Tyler Grace Caleb Renee Jordan Paige Wesley Naomi Trent Kayla Dwight Hannah Malik Brooke Curtis Imani Shawn Priya Aaron Mei Victor Abigail"),
		family: words("Whitlock Granger Okafor Delgado Hensley Marsh Patel Kowalski Brandt Ellison Nakamura Fairley Boone Castellan Rourke Vance Tran Holloway Pruitt Abara"),
	},
	{
		code: "+1", language: "es", zone: "America/Chicago", offset: -360, number: american,
		given:  words("Marisol Héctor Yolanda Ramiro Xiomara Gilberto Leticia Joaquín Araceli Efraín Rosalía Nelson Graciela Rubén Maricela Óscar"),
		family: words("Villanueva Zamora Quintero Escobedo Arriaga Montalvo Carranza Tejeda Bustos Olvera Pacheco Rentería Saldaña Trejo"),
	},
	{
		code: "+44", language: "en", zone: "Europe/London", offset: 0,
		number: func(s *stream) string { return fmt.Sprintf("+447700900%03d", s.n(1000)) },
		given:  words("Alistair Bethan Callum Daphne Euan Fiona Gareth Harriet Imogen Jasper Kirsty Lachlan Maeve Nigel Olwen Rupert Siân Tamsin Zara Amir"),
		family: words("Ashworth Blackwood Cartwright Davenport Eastgate Fenwick Goldsworthy Hargreave Kerrigan Lockhart Merriweather Oakes Penhaligon Rahman Thistle Wetherby"),
	},
	{
		code: "+34", language: "es", zone: "Europe/Madrid", offset: 60, double: true,
		number: func(s *stream) string { return fmt.Sprintf("+344%08d", s.n(100_000_000)) },
		given:  words("Ainhoa Álvaro Begoña Carles Elena Fermín Gemma Íñigo Jimena Kepa Laia Martín Noelia Pau Rocío Sergio Triana Unai Vega Yago"),
		family: words("Arrieta Barreiro Cano Domènech Etxeberria Ferrer Gálvez Herrero Iglesias Jurado Lozano Mateu Nogueira Olmos Pizarro Quiroga Rueda Soler Tapia Vidal"),
	},
	{
		code: "+49", language: "de", zone: "Europe/Berlin", offset: 60,
		number: func(s *stream) string {
			return fmt.Sprintf("+49%s%03d", pick(s, words("3023125 6990009 4066969 8999998")), s.n(1000))
		},
		given:  words("Anke Björn Carla Detlef Elke Falk Greta Holger Ines Jürgen Käthe Lukas Mareike Nils Ortrud Pia Ruben Silke Torben Ute"),
		family: words("Ackermann Böttcher Dahlke Eickhoff Fröhlich Gruber Hölzl Jansen Köhler Lindner Möbius Niehaus Oswald Petersen Rübsam Schäfer Tiedemann Vogt Wiechmann Zöller"),
	},
	{
		code: "+33", language: "fr", zone: "Europe/Paris", offset: 60,
		number: func(s *stream) string { return fmt.Sprintf("+3363998%04d", s.n(10_000)) },
		given:  words("Aurélie Bastien Célia Damien Élodie Fabrice Gaëlle Hugo Inès Jérôme Karine Loïc Maëlys Noé Océane Quentin Romane Sylvain Théa Yann"),
		family: words("Aubert Besson Charrier Delmas Evrard Fontaine Guérin Huet Jacquemin Lacroix Marchal Navarre Perrin Quénot Rolland Sauvage Thibault Vasseur"),
	},
	{
		code: "+61", language: "en", zone: "Australia/Brisbane", offset: 600,
		number: func(s *stream) string { return fmt.Sprintf("+61%d5550%04d", pick(s, []int{2, 3, 7, 8}), s.n(10_000)) },
		given:  words("Bronte Cooper Darcy Eliza Flynn Indi Jarrah Kieran Lara Matilda Ned Orla Piper Riley Sienna Tully"),
		family: words("Bannister Callaghan Dunmore Everard Gallagher Hartigan Killara Lockyer Munro Nguyen Papadakis Radcliffe Sorensen Waverley"),
	},
}

func words(s string) []string {
	var w []string
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ' ' {
			w = append(w, s[start:i])
			start = i + 1
		}
	}
	return w
}

// memberSeeds are the first members; further ones are made up from the markets.
var memberSeeds = []struct {
	name   string
	market int
}{
	{"Rosa Whitlock", 0},
	{"Iker Soler Vidal", 3},
	{"Bethan Lockhart", 2},
	{"Marisol Quintero", 1},
	{"Torben Lindner", 4},
	{"Océane Marchal", 5},
	{"Piper Callaghan", 6},
	{"Malik Okafor", 0},
}

var (
	employers = []string{"Example Bakery", "Riverside School", "Northgate Clinic", "Studio Verde", "Harbour Logistics", "Old Mill Yoga", "Casa Luz Design", "Brightside Dental"}
	noteBook  = []string{
		"met at the school gate", "prefers texts after six", "two children, both swim", "training for a half marathon", "likes samples by post",
		"neighbour of the yoga studio", "asked about the starter set", "moving house in spring", "vegetarian; careful with collagen", "plays padel on Thursdays",
	}
	interests = []string{"Padel", "Yoga", "School", "Neighbours", "Running club", "Choir", "Former colleagues", "Family"}
	fairs     = []string{"spring-fair", "book-club", "open-house", "city-run", "street-market"}
)
